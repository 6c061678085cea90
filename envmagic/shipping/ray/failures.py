"""What goes wrong with Ray, in one line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.environments.backends import tool_errors
from envmagic.shipping.workers import minor
from envmagic.system import process

__all__ = ["explained", "nobody_there"]

_VERSIONS = re.compile(r"^ *(Ray|Python): (\S+)$", re.MULTILINE)
_SAID = re.compile(r"^Last \d+ lines of stdout:\n", re.MULTILINE)
_NO_VIRTUALENV = re.compile(r"No module named '?virtualenv")
_NO_PIP = re.compile(r"No module named '?pip\b")


@contextlib.contextmanager
def explained(address: str) -> Iterator[None]:
    """Raise as `EnvmagicError` what Ray raises within this."""
    try:
        yield
    except EnvmagicError:
        raise
    except Exception as error:
        raise _explain(error, address) from error


def nobody_there(address: str) -> EnvmagicError:
    """No cluster is at `address`."""
    return EnvmagicError(
        "no-cluster",
        f"No Ray answers at {address}."
        if address != "auto"
        else "There is no Ray cluster on this machine.",
        "Start it, name another address, or begin one here",
        command=("ship", "ray", "local"),
        subject=address,
    )


def _explain(error: Exception, address: str) -> EnvmagicError:
    said = str(error)
    if "Version mismatch" in said:
        return _another_version(said, address)
    if isinstance(error, ConnectionError) and address == "auto":
        return nobody_there(address)
    if "ray[client]" in said:
        return EnvmagicError(
            "no-engine",
            "Addresses with ray:// need more of Ray than is in this environment.",
            "To install it",
            command=("install", "ray[client]"),
            subject="ray[client]",
        )
    if type(error).__name__ == "RuntimeEnvSetupError":
        return _not_set_up(said, address)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return EnvmagicError(
        "engine-failed",
        f"Ray at {address}: {display.user_text((lines or [type(error).__name__])[0])}",
        "See what its nodes do",
        tool_command=("ray", "status"),
        subject=address,
        detail=said,
    )


def _another_version(said: str, address: str) -> EnvmagicError:
    """Ray says first what the cluster runs, then what the notebook does."""
    found = _VERSIONS.findall(said)
    theirs, ours = dict(found[:2]), dict(found[2:4])
    where = f"The cluster at {address} runs"
    if theirs.get("Ray") != ours.get("Ray"):
        return EnvmagicError(
            "another-engine",
            f"{where} Ray {theirs.get('Ray')} and this notebook {ours.get('Ray')};"
            " nothing was sent.",
            "To have the same",
            command=("install", f"ray[default]=={theirs.get('Ray')}"),
            subject=address,
            detail=said,
        )
    there, here = theirs.get("Python", ""), ours.get("Python", "")
    if minor(there) == minor(here):
        hint = (
            'Ray takes that after os.environ["RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL"] = "minor"'
            " in a cell; or make an environment with the same"
        )
        python = there
    else:
        hint = "Start the cluster with the notebook's Python, or make an environment with its"
        python = minor(there)
    return EnvmagicError(
        "another-python",
        f"{where} Python {there} and this notebook {here}; nothing was sent.",
        hint,
        command=("create", f"py{python.replace('.', '')}", "--python", python),
        subject=address,
        detail=said,
    )


def _not_set_up(said: str, address: str) -> EnvmagicError:
    """A node could not make the environment; it says what the installer said there."""
    if _NO_VIRTUALENV.search(said) or _NO_PIP.search(said):
        lacks = "virtualenv" if _NO_VIRTUALENV.search(said) else "pip"
        words = "-m pip install 'ray[default]'" if lacks == "virtualenv" else "-m ensurepip"
        return EnvmagicError(
            "no-installer",
            f"The Python that Ray at {address} runs in has no {lacks}, so workers can install"
            " nothing there.",
            f"Run python {words} there, and start Ray again.",
            subject=address,
            detail=said,
        )
    installer = _SAID.split(said)[-1] if _SAID.search(said) else said
    told = process.Completed(args=("ray",), code=1, stdout=installer, stderr="")
    why = tool_errors.explain(process.CommandFailed(told), "what the workers lack")
    return why.saying("The cluster is as it was.")
