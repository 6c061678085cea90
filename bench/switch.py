"""Switching and passing on, beside a kernel started and spoken to directly.

Prints medians; what is compared is taken in turn within each round.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _ground import home, table
from jupyter_client.manager import KernelManager
from support.kernels import RunningKernel

ROUNDS = 7
INFOS = 300
DISPLAYS = "from IPython.display import display\nfor i in range(2000): display(i)"
BIG = "print('x' * 100_000_000)"


def main() -> None:
    with home() as place:
        spec("alpha", place)
        direct, moved = RunningKernel("alpha", place), RunningKernel("python3", place)
        moved.run("%load_ext envmagic\nx = 1")
        before = memory(moved.pid)
        moved.run("%env use alpha")
        moved.run("y = 1")
        after = memory(moved.pid)
        rows = [
            start_row(place),
            ["wake a sleeping kernel", *wake(moved), "≤ 50 ms"],
            pair("`kernel_info`, median round trip", info, direct, moved, "≤ +0.3 ms", 1000, "ms"),
            pair("2,000 displays", lambda k: timed(k, DISPLAYS), direct, moved, "≤ 1.15 ×", 1, "s"),
            pair("100 MB of output", lambda k: timed(k, BIG), direct, moved, "≤ 1.2 ×", 1, "s"),
            ["memory of the relay", f"{before / 1e6:.0f} MB", f"{after / 1e6:.0f} MB",
             f"+{(after - before) / 1e6:.1f} MB", "≤ 10 MB"],
        ]  # fmt: skip
        direct.stop()
        moved.stop()
    table("Switching", ["what", "direct", "through the relay", "compared", "reach"], rows)


def start_row(place: Path) -> list[str]:
    """A switch until its first reply; the same kernel started by jupyter_client until its."""
    fresh, switched = [], []
    stock = RunningKernel("python3", place)
    stock.run("%load_ext envmagic\nx = 1")
    for number in range(-1, ROUNDS):
        direct = started(place)
        again = time.perf_counter()
        stock.client.execute("%env use alpha")
        reply(stock.client, stock.client.execute("1"))
        ours = time.perf_counter() - again
        stock.run("%env use python3")  # alpha holds nothing, so it is ended
        time.sleep(1)
        if number >= 0:
            fresh.append(direct)
            switched.append(ours)
    stock.stop()
    direct, ours = statistics.median(fresh), statistics.median(switched)
    return ["start, first reply", f"{direct:.2f} s", f"{ours:.2f} s", f"{ours / direct:.2f} ×",
            "≤ 1.15 ×"]  # fmt: skip


def started(place: Path) -> float:
    """The request is sent at once: asking whether it is ready yet would only take time."""
    manager = KernelManager(kernel_name="alpha")
    began = time.perf_counter()
    manager.start_kernel(cwd=str(place))
    client = manager.client()
    client.start_channels(hb=False)
    reply(client, client.execute("1"))
    seconds = time.perf_counter() - began
    client.stop_channels()
    manager.shutdown_kernel()
    manager.cleanup_resources()
    return seconds


def reply(client: Any, request: str) -> None:
    while client.get_shell_msg(timeout=60)["parent_header"]["msg_id"] != request:
        pass


def wake(kernel: RunningKernel) -> list[str]:
    """From a kernel to one that sleeps and back: what the whole cell and the next take."""
    plain, woken = [], []
    kernel.run("%env use python3\n1")
    for _ in range(2 * ROUNDS):
        for name in ("alpha", "python3"):
            began = time.perf_counter()
            kernel.run("1")
            kernel.run("1")
            middle = time.perf_counter()
            kernel.run(f"%env use {name}")
            kernel.run("1")
            plain.append(middle - began)
            woken.append(time.perf_counter() - middle)
    kernel.run("%env use alpha")
    ours, two = statistics.median(woken), statistics.median(plain)
    return [f"{two * 1000:.0f} ms (two cells)", f"{ours * 1000:.0f} ms (switch and a cell)",
            f"+{(ours - two) * 1000:.0f} ms"]  # fmt: skip


def pair(
    what: str,
    measure: Callable[[RunningKernel], float],
    direct: RunningKernel,
    moved: RunningKernel,
    reach: str,
    scale: int,
    unit: str,
) -> list[str]:
    taken: dict[str, list[float]] = {"direct": [], "moved": []}
    for number in range(-1, 3 * ROUNDS if unit == "ms" else ROUNDS):
        for name, kernel in (("direct", direct), ("moved", moved)):
            value = measure(kernel)
            if number >= 0:
                taken[name].append(value)
    one, two = (statistics.median(values) for values in taken.values())
    digits = 2 if unit == "ms" else 3
    difference = f"+{(two - one) * scale:.2f} {unit}, {two / one:.2f} ×"
    return [what, f"{one * scale:.{digits}f} {unit}", f"{two * scale:.{digits}f} {unit}",
            difference, reach]  # fmt: skip


def info(kernel: RunningKernel) -> float:
    taken = []
    for _ in range(INFOS):
        began = time.perf_counter()
        reply(kernel.client, kernel.client.kernel_info())
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def timed(kernel: RunningKernel, code: str) -> float:
    began = time.perf_counter()
    kernel.run(code)
    return time.perf_counter() - began


def memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def spec(name: str, place: Path) -> None:
    """A kernelspec of this interpreter: what is measured is the way, not the environment."""
    from jupyter_core.paths import jupyter_data_dir

    directory = Path(jupyter_data_dir(), "kernels", name)
    directory.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (directory / "kernel.json").write_text(
        json.dumps(
            {"argv": [*argv, "--ext", "envmagic"], "display_name": name, "language": "python"}
        )
    )


if __name__ == "__main__":
    main()
