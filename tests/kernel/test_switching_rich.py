"""What a cell shows besides text, and what comes back from it: real widgets and real figures."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from typing import Any

WIDGETS = """
import ipywidgets
heard = []
slider = ipywidgets.IntSlider()
slider.observe(lambda change: heard.append(change["new"]), "value")
picture = ipywidgets.Image()
shown = ipywidgets.interactive(lambda x: print("shown", x), x=(0, 10))
display(slider, shown)
"""
VIEW = "application/vnd.jupyter.widget-view+json"


def say(
    kernel: Any, kind: str, content: dict[str, Any], buffers: Sequence[bytes] = ()
) -> list[tuple[str, dict[str, Any]]]:
    """Send on shell as the page does; all that is said because of it, from `busy` to `idle`."""
    return _said(kernel, _sent(kernel, kind, content, buffers))


def _sent(kernel: Any, kind: str, content: dict[str, Any], buffers: Sequence[bytes] = ()) -> str:
    message = {**kernel.client.session.msg(kind, content), "buffers": list(buffers)}
    kernel.client.shell_channel.send(message)
    identity: str = message["header"]["msg_id"]
    return identity


def _said(kernel: Any, request: str) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    end = time.monotonic() + 20
    while not found or found[-1][1].get("execution_state") != "idle":
        message = kernel.client.get_iopub_msg(timeout=max(0.1, end - time.monotonic()))
        if message["parent_header"].get("msg_id") == request:
            found.append((message["msg_type"], message["content"]))
    return found


def update(model: str, **state: Any) -> dict[str, Any]:
    """The content of the message that a view sends when somebody moves a slider."""
    return {
        "comm_id": model,
        "data": {"method": "update", "state": state, "buffer_paths": []},
    }


def models(kernel: Any) -> tuple[str, ...]:
    """The comms of a fresh set of widgets: slider, picture, and the slider and output of a call."""
    shown = kernel.run(WIDGETS).displays
    ids = "slider, picture, shown.children[0], shown.out"
    found = tuple(kernel.run(f"print(*(w.model_id for w in ({ids})))").stdout.split())
    assert [VIEW in bundle for bundle in shown] == [True, True]
    assert shown[0][VIEW]["model_id"] == found[0]
    return found


def known(kernel: Any) -> set[str]:
    """The widgets of the kernel that runs, as a page asks for them when it is loaded."""
    request = _sent(kernel, "comm_info_request", {"target_name": "jupyter.widget"})
    return set(kernel._reply(request)["comms"])


def ignored(kernel: Any, kind: str, model: str, **more: Any) -> bool:
    """Whether the kernel did with it what every kernel does that does not know the widget.

    That is a word on standard error, which belongs to the message and so to no cell.
    """
    said = say(kernel, kind, more or {"comm_id": model, "data": {}})
    assert said[0] == ("status", {"execution_state": "busy"})
    return said[1:-1] == [("stream", {"name": "stderr", "text": f"No such comm: {model}\n"})]


def test_widgets_sleep_and_wake_with_their_kernel(switching: Any) -> None:
    """Elsewhere a slider that is moved does nothing, and shows nothing; back home it calls back."""
    kernel = switching()
    slider, picture, argument, output = models(kernel)
    assert {slider, picture, argument, output} <= known(kernel)
    say(kernel, "comm_msg", update(slider, value=1))
    assert kernel.run("heard").result == "[1]"
    assert ignored(kernel, "comm_msg", "of no kernel")

    kernel.run("%env use alpha")
    assert known(kernel) == set()
    assert ignored(kernel, "comm_msg", slider, **update(slider, value=2))
    assert ignored(kernel, "comm_msg", argument, **update(argument, value=2))
    assert ignored(kernel, "comm_close", picture)
    assert kernel.run("6 * 7").result == "42"

    there = models(kernel)
    assert there[0] in known(kernel) and slider not in known(kernel)
    _moves(kernel, there)
    # it knows widgets by now, and still not that one
    assert ignored(kernel, "comm_msg", slider, **update(slider, value=3))
    assert kernel.run("heard, slider.value").result == "([], 1)"

    # not waited for: what is behind the switch is meant for home
    moved = kernel.client.execute("%env use python3")
    told = _sent(kernel, "comm_msg", update(slider, value=9))
    assert kernel._reply(moved)["status"] == "ok"
    assert "error" not in dict(_said(kernel, told))
    assert kernel.run("heard, slider.value").result == "([1, 9], 9)"
    assert slider in known(kernel) and there[0] not in known(kernel)
    kernel.run("heard.clear()")
    _moves(kernel, (slider, picture, argument, output))
    say(kernel, "comm_close", {"comm_id": slider, "data": {}})
    assert slider not in known(kernel) and picture in known(kernel)

    kernel.run("%env use alpha")
    _moves(kernel, there)


def _moves(kernel: Any, ids: Sequence[str]) -> None:
    """Each widget does what it is for: the callback, output that is its own, bytes that come in."""
    slider, picture, argument, output = ids
    value = int(kernel.run("slider.value + 1").result)
    say(kernel, "comm_msg", update(slider, value=value))
    assert kernel.run("heard.pop(), heard").result == f"({value}, [])"

    value = int(kernel.run("7 if shown.kwargs['x'] == 8 else 8").result)
    request = _sent(kernel, "comm_msg", update(argument, value=value))
    said = _said(kernel, request)
    assert ("stream", {"name": "stdout", "text": f"shown {value}\n"}) in said
    # so the page knows whose output it is
    states = [c["data"]["state"] for k, c in said if k == "comm_msg" and c["comm_id"] == output]
    assert {"msg_id": request} in states

    content = {"method": "update", "state": {}, "buffer_paths": [["value"]]}
    say(kernel, "comm_msg", {"comm_id": picture, "data": content}, [b"\0png\xff"])
    assert kernel.run("bytes(picture.value)").result == repr(b"\0png\xff")


def test_inline_figures_are_shown_where_the_notebook_is(switching: Any) -> None:
    """A picture from the first kernel, from the environment's, and from each after coming back."""
    kernel = switching()
    draw = "plt.plot(data);"
    for where in ("python3", "alpha"):
        kernel.run(f"%env use {where}")
        kernel.run("%matplotlib inline\nimport matplotlib.pyplot as plt\ndata = [1, 2, 3]")
        assert _pictures(kernel, draw) == 1
    for where in ("python3", "alpha"):
        # drawn before the cell moves, and what is left of it draws there
        assert _pictures(kernel, f"{draw}\n%env use {where}\n{draw}") == 2
        assert _pictures(kernel, draw) == 1
        assert kernel.run("plt.get_fignums()").result == "[]"


def _pictures(kernel: Any, code: str) -> int:
    found = [bundle["image/png"] for bundle in kernel.run(code).displays if "image/png" in bundle]
    assert all(base64.b64decode(picture).startswith(b"\x89PNG\r\n") for picture in found)
    return len(found)
