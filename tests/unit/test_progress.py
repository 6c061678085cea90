"""The progress display: when it is updated, and what a terminal gets instead."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from conftest import Isolated
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

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


def test_a_terminal_gets_one_line_for_each_step() -> None:
    stream = io.StringIO()
    progress = Milestones(stream)
    progress.step("Creating churn")
    progress.detail("noise")
    progress.step("Installing six")
    assert stream.getvalue() == "Creating churn…\nInstalling six…\n"
