"""The progress display: when it is updated, and what a terminal gets instead."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from conftest import Isolated
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from envmagic.environments.backends.arrivals import Arrivals
from envmagic.frontends.progress import Display, Milestones


@pytest.fixture(autouse=True)
def _shell(isolated: Isolated) -> Iterator[None]:
    """Displays are captured from a shell; it is gone after the test."""
    InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    yield
    InteractiveShell.clear_instance()


class Clock:
    """Time that passes when the test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def shown(display: Display, clock: Clock, said: list[tuple[float, str, str]]) -> list[str]:
    """What `display` put on the page, as text, for `(seconds, step or detail, message)`."""
    with capture_output() as captured:
        for seconds, kind, message in said:
            clock.now += seconds
            getattr(display, kind)(message)
    return [output.data["text/html"].split("</style>")[-1] for output in captured.outputs]


def test_at_most_five_updates_a_second_and_steps_come_before_details() -> None:
    clock = Clock()
    lines = [(0.01, "detail", f"line {number}") for number in range(50)]
    pages = shown(
        Display(clock), clock, [(0, "step", "One"), *lines, (0.01, "step", "Two"), *lines]
    )
    assert len(pages) <= 6  # 1.01 seconds
    assert "One" in pages[0]
    assert any("Two" in page for page in pages)


def test_nothing_is_shown_without_a_step() -> None:
    clock = Clock()
    display = Display(clock)
    assert shown(display, clock, [(1, "detail", "a line")]) == []
    assert not display.shown


def test_it_shows_the_seconds_and_the_last_words_without_the_home_directory(
    isolated: Isolated,
) -> None:
    clock = Clock()
    said: list[tuple[float, str, str]] = [
        (0, "step", "Installing <six>"),
        (3, "detail", f"in {isolated.home}/envs"),
    ]
    first, second = shown(Display(clock), clock, said)
    assert "Installing &lt;six&gt;…" in first
    assert "3 s" in second
    assert "in ~/envs" in second


def test_the_seconds_go_on_while_a_tool_is_silent() -> None:
    clock = Clock()
    said = [(0.0, "step", "Installing six"), (1.0, "detail", "six: 0 of 8 MB")]
    with capture_output() as captured:
        display = Display(clock)
        for seconds, kind, message in said:
            clock.now += seconds
            getattr(display, kind)(message)
        for _ in range(12):
            clock.now += 0.25
            display.waiting()
    last = captured.outputs[-1].data["text/html"]
    assert len(captured.outputs) == 2 + 3
    assert "4 s" in last and "six: 0 of 8 MB" in last


def test_a_file_gets_one_line_for_each_step_and_more_where_one_lasts() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Milestones(stream, clock)
    progress.waiting()
    progress.step("Creating churn")
    progress.detail("noise")
    progress.step("Installing six")
    assert stream.getvalue() == "Creating churn…\nInstalling six…\n"
    progress.detail("six: 0 of 8 MB")
    for _ in range(40):
        clock.now += 1
        progress.waiting()
    progress.finish()
    lines = stream.getvalue().splitlines()[2:]
    assert lines[0] == "  six: 0 of 8 MB, 2 s"
    assert lines[-2:] == ["  six: 0 of 8 MB, 28 s", "  six: 0 of 8 MB, 38 s"]


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_one_line_that_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream, clock = Screen(), Clock()
    progress = Milestones(stream, clock)
    progress.step("Installing six")
    clock.now += 1
    progress.detail("six: 0 of 8 MB")
    clock.now += 1
    progress.detail("six: 4 of 8 MB")
    progress.finish()
    *_, last = stream.getvalue().split("\n")
    assert last.split("\r")[1:] == [
        f"  six: {n} of 8 MB, {s} s\x1b[K" for n, s in ((0, 1), (4, 2))
    ] + ["\x1b[K"]


def test_pieces_of_an_installer_s_messages_are_not_how_a_step_goes_on() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Milestones(stream, clock)
    progress.step("Looking")
    arrivals = Arrivals(progress)
    for line in (
        "Using CPython 3.11.7 interpreter at: /usr/bin/python3.11",
        "error: No solution found when resolving dependencies:",
        "  × No solution found when resolving dependencies:",
        "  ╰─▶ Because six was not found",
        "hint: an index was searched",
    ):
        clock.now += 5
        arrivals.heard(line)
    assert stream.getvalue() == "Looking…\n"
    arrivals.heard("Resolved 3 packages in 2ms")
    assert "Resolved 3 packages in 2ms" in stream.getvalue()
