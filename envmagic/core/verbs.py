"""What each verb is asked, parsed once by `grammar` and taken by one operation."""

from __future__ import annotations

from dataclasses import dataclass

from envmagic.core.model import BackendName

__all__ = [
    "RESERVED_VERBS",
    "VERBS",
    "AttachRequest",
    "CellRequest",
    "CreateRequest",
    "DoctorRequest",
    "InstallRequest",
    "ListRequest",
    "RecordRequest",
    "RemoveRequest",
    "Request",
    "StatusRequest",
    "SyncRequest",
    "UninstallRequest",
    "UseRequest",
]


@dataclass(frozen=True)
class CreateRequest:
    target: str | None = None
    """NAME or PATH; None: `.venv` beside the notebook."""
    requirements: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """`-r FILE`, relative ones from the place's directory."""
    bare: bool = False
    python: str | None = None
    backend: BackendName | None = None
    channels: tuple[str, ...] = ()
    use: bool = True
    upgrade: bool = False


@dataclass(frozen=True)
class CellRequest:
    """`%%env`: create's options in the line, requirement lines as the body."""

    create: CreateRequest
    body: str = ""


@dataclass(frozen=True)
class AttachRequest:
    target: str
    use: bool = True


@dataclass(frozen=True)
class UseRequest:
    target: str
    drop: bool = False


@dataclass(frozen=True)
class InstallRequest:
    requirements: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    upgrade: bool = False


@dataclass(frozen=True)
class UninstallRequest:
    packages: tuple[str, ...]


@dataclass(frozen=True)
class SyncRequest:
    pass


@dataclass(frozen=True)
class RecordRequest:
    state: str | None = None
    """`on`, `off` or None (write once)."""
    paths: tuple[str, ...] = ()
    to: str | None = None
    pin: str | None = None
    """`exact`, `compatible`, `minimum`, `none`; None: as the file says, else exact."""
    env: str | None = None
    check: bool = False
    online: bool = False


@dataclass(frozen=True)
class ListRequest:
    size: bool = False


@dataclass(frozen=True)
class StatusRequest:
    pass


@dataclass(frozen=True)
class RemoveRequest:
    target: str
    yes: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class DoctorRequest:
    fix: bool = False


Request = (
    CreateRequest
    | CellRequest
    | AttachRequest
    | UseRequest
    | InstallRequest
    | UninstallRequest
    | SyncRequest
    | RecordRequest
    | ListRequest
    | StatusRequest
    | RemoveRequest
    | DoctorRequest
)


VERBS = (
    "create",
    "attach",
    "use",
    "install",
    "uninstall",
    "sync",
    "record",
    "list",
    "status",
    "remove",
    "doctor",
)


RESERVED_VERBS = (
    "lock",
    "restore",
    "clone",
    "rename",
    "upgrade",
    "export",
    "ship",
    "help",
    "version",
)
