"""What is told of an installer's failure: the reason, and not all that it said."""

from __future__ import annotations

import pytest

from envmagic.environments.backends.tool_errors import verdict

# As uv 0.13 and pip 25 wrote them.
DEPRECATED = """\
         The 'sklearn' PyPI package is deprecated, use 'scikit-learn'
         rather than 'sklearn' for pip commands.

         Here is how to fix this error in the main use cases:
         - use 'pip install scikit-learn' rather than 'pip install sklearn'
"""
UV = f"""\
error: Failed to build `sklearn==0.0.post12`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta:__legacy__.get_requires_for_build_wheel` failed (exit: 1)

         [stderr]
{DEPRECATED}
"""
HINT = """\
hint: `sklearn` is often confused for `scikit-learn`. \
Did you mean to install `scikit-learn` instead?

hint: Build failures usually indicate a problem with the package or the build environment
"""
PIP = f"""\
Collecting sklearn
  error: subprocess-exited-with-error

  × Getting requirements to build wheel did not run successfully.
  │ exit code: 1
  ╰─> [15 lines of output]
{DEPRECATED}
      [end of output]

  note: This error originates from a subprocess, and is likely not a problem with pip.
ERROR: Failed to build 'sklearn' when getting requirements to build wheel
"""
TRACEBACK = (
    f"{UV}         Traceback (most recent call last):\n         ModuleNotFoundError: numpy\n"
)
UNSATISFIABLE = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because there is no version of nothing-like-this and you require
      nothing-like-this, we can conclude that your requirements are
      unsatisfiable.
"""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            UV + HINT,
            "Failed to build `sklearn==0.0.post12`. `sklearn` is often confused for"
            " `scikit-learn`. Did you mean to install `scikit-learn` instead?",
        ),
        (
            UV,
            "Failed to build `sklearn==0.0.post12`. The 'sklearn' PyPI package is deprecated, use"
            " 'scikit-learn' rather than 'sklearn' for pip commands.",
        ),
        (
            PIP,
            "Failed to build 'sklearn' when getting requirements to build wheel. The 'sklearn'"
            " PyPI package is deprecated, use 'scikit-learn' rather than 'sklearn' for pip"
            " commands.",
        ),
        (TRACEBACK, "Failed to build `sklearn==0.0.post12`. ModuleNotFoundError: numpy"),
        (
            UNSATISFIABLE,
            "Because there is no version of nothing-like-this and you require nothing-like-this,"
            " we can conclude that your requirements are unsatisfiable.",
        ),
        ("something odd\nhappened at last\n", "Happened at last"),
        ("", ""),
    ],
)
def test_the_reason_is_told(said: str, told: str) -> None:
    assert verdict(said) == told


def test_what_is_long_is_cut_where_a_sentence_ends() -> None:
    assert verdict("error: " + "This sentence has 30 letters. " * 20) == " ".join(
        ["This sentence has 30 letters."] * 10
    )
    assert len(verdict("error: " + "word " * 200)) <= 302
    assert verdict("error: " + "word " * 200).endswith("word …")
