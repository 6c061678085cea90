"""What creates environments and installs into them: one protocol and its table."""

from __future__ import annotations

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import BackendName, Environment
from envmagic.environments.backends.base import Backend

__all__ = ["available", "choose", "for_environment", "get"]


def get(name: BackendName) -> Backend:
    """The backend called `name`."""
    if name is BackendName.UV:
        from envmagic.environments.backends.uv import UvBackend

        return UvBackend()
    if name is BackendName.VIRTUALENV:
        from envmagic.environments.backends.virtualenv import VirtualenvBackend

        return VirtualenvBackend()
    if name is BackendName.VENV:
        from envmagic.environments.backends.venv import VenvBackend

        return VenvBackend()
    from envmagic.environments.backends.conda import CondaBackend

    return CondaBackend()


def available() -> list[BackendName]:
    """The backends that can be used here, best first."""
    order = (BackendName.UV, BackendName.VIRTUALENV, BackendName.VENV, BackendName.CONDA)
    return [name for name in order if not get(name).missing()]


def choose(name: BackendName | None) -> Backend:
    """The backend asked for, else uv where it is found, else venv.

    Raises `EnvmagicError` when the one asked for is not there.
    """
    if name is None:
        uv = get(BackendName.UV)
        return get(BackendName.VENV) if uv.missing() else uv
    backend = get(name)
    reason = backend.missing()
    if reason:
        raise EnvmagicError(
            "no-backend",
            f"The backend {name.value} cannot be used: {reason}.",
            f'Install it: pip install "envmagic[{name.value}]"',
            subject=name.value,
        )
    return backend


def for_environment(environment: Environment) -> Backend:
    """What installs into `environment`: for every kind of venv the same, whatever made it."""
    is_conda = environment.backend is BackendName.CONDA
    return get(BackendName.CONDA if is_conda else BackendName.VENV)
