"""What is exported in a notebook can become a cell of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support.kernels import RunningKernel


def test_a_scripts_block_is_offered_as_the_next_cell(
    isolated: Any, kernel: Callable[..., RunningKernel]
) -> None:
    (isolated.work / "requirements.txt").write_text("six\n")
    own = kernel()
    own.run("%load_ext envmagic")
    request = own.client.execute("%env export pep723 --cell")
    reply = own.client.get_shell_msg(timeout=60)
    assert reply["parent_header"]["msg_id"] == request
    (payload,) = reply["content"]["payload"]
    assert payload["source"] == "set_next_input"
    assert payload["text"].startswith("# /// script\n") and '"six"' in payload["text"]
