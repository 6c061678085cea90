"""What each verb is asked, parsed once by the grammar and taken by one operation.

A request says which: its `operation` is a module of `envmagic.operations` and a function in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from envmagic.core.errors import Problem
from envmagic.core.model import BackendName

__all__ = [
    "ENGINES",
    "IMAGES",
    "AttachRequest",
    "AutoloadRequest",
    "CarryOutRequest",
    "CellRequest",
    "CloneRequest",
    "CreateRequest",
    "DoctorRequest",
    "ExportRequest",
    "HistoryRequest",
    "InstallRequest",
    "ListRequest",
    "LockRequest",
    "PlanRequest",
    "RecordRequest",
    "RemoveRequest",
    "RenameRequest",
    "Request",
    "RestoreRequest",
    "ShipRequest",
    "StatusRequest",
    "SyncRequest",
    "UndoRequest",
    "UninstallRequest",
    "UpgradeRequest",
    "UseRequest",
]


@dataclass(frozen=True)
class CreateRequest:
    verb: ClassVar = "create"
    operation: ClassVar = "create.create"

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
    trust: bool = False
    """That an `uv.toml` around leads elsewhere is agreed to, and remembered; as of `install`."""
    leave: bool = False
    """Plain values and variables of the environment stay where they are."""


@dataclass(frozen=True)
class CellRequest:
    """`%%env`: create's options in the line, requirement lines as the body."""

    verb: ClassVar = "%%env"
    operation: ClassVar = "create.cell"

    create: CreateRequest
    body: str = ""


@dataclass(frozen=True)
class AttachRequest:
    verb: ClassVar = "attach"
    operation: ClassVar = "attach.attach"

    target: str
    use: bool = True
    leave: bool = False
    """Plain values and variables of the environment stay where they are."""


@dataclass(frozen=True)
class UseRequest:
    verb: ClassVar = "use"
    operation: ClassVar = "use.use"

    target: str
    drop: bool = False
    leave: bool = False
    """Plain values and variables of the environment stay where they are."""


@dataclass(frozen=True)
class InstallRequest:
    verb: ClassVar = "install"
    operation: ClassVar = "install.install"

    requirements: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    upgrade: bool = False
    trust: bool = False
    here: bool = False
    """Also where that is the environment that Jupyter itself runs in."""


@dataclass(frozen=True)
class UninstallRequest:
    verb: ClassVar = "uninstall"
    operation: ClassVar = "install.uninstall"

    packages: tuple[str, ...]
    yes: bool = False
    """Also what others in the environment need."""
    here: bool = False
    """As in `InstallRequest`."""


@dataclass(frozen=True)
class SyncRequest:
    verb: ClassVar = "sync"
    operation: ClassVar = "install.sync"

    trust: bool = False
    """What reaches beyond the user's own index is agreed to, and remembered."""
    here: bool = False
    """As in `InstallRequest`."""
    locked: bool = False
    """What the lock says and nothing else: it has to agree with what is asked for."""


@dataclass(frozen=True)
class RecordRequest:
    verb: ClassVar = "record"
    operation: ClassVar = "record.record"

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
    verb: ClassVar = "list"
    operation: ClassVar = "overview.list_all"

    size: bool = False
    all: bool = False
    """Each environment of other tools, not only those of this project."""


@dataclass(frozen=True)
class StatusRequest:
    verb: ClassVar = "status"
    operation: ClassVar = "overview.status"


@dataclass(frozen=True)
class PlanRequest:
    verb: ClassVar = "plan"
    operation: ClassVar = "plan.plan"

    notebook: str | None = None
    """A notebook's path; None: the one at the place."""


@dataclass(frozen=True)
class RemoveRequest:
    verb: ClassVar = "remove"
    operation: ClassVar = "remove.remove"

    target: str
    yes: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class DoctorRequest:
    verb: ClassVar = "doctor"
    operation: ClassVar = "doctor.doctor"

    fix: bool = False
    report: bool = False
    """Not what is wrong now, but the last exception that nobody foresaw."""


@dataclass(frozen=True)
class AutoloadRequest:
    verb: ClassVar = "autoload"
    operation: ClassVar = "autoload.autoload"

    state: str | None = None
    """`on`, `off` or None (say how it stands)."""


@dataclass(frozen=True)
class LockRequest:
    verb: ClassVar = "lock"
    operation: ClassVar = "lock.lock"

    paths: tuple[str, ...] = ()
    """Notebooks and directories; none: the notebook at the place, else the directory."""
    to: str | None = None
    check: bool = False
    universal: bool = False


@dataclass(frozen=True)
class HistoryRequest:
    verb: ClassVar = "history"
    operation: ClassVar = "history.history"

    all: bool = False
    """Every change that is kept, not only the latest."""


@dataclass(frozen=True)
class UndoRequest:
    verb: ClassVar = "undo"
    operation: ClassVar = "undo.undo"

    number: int | None = None
    """Back to before this change; None: the last one."""
    here: bool = False
    """As in `InstallRequest`."""


@dataclass(frozen=True)
class RestoreRequest:
    verb: ClassVar = "restore"
    operation: ClassVar = "restore.restore"

    notebook: str | None = None
    """A notebook's path; None: the one at the place."""
    target: str | None = None
    """NAME or PATH; None: as the notebook says, else `.venv` beside it."""
    as_of: str | None = None
    """A date or a time, ISO 8601; None: what is locked or recorded, else of the notebook's."""
    python: str | None = None
    dry_run: bool = False
    trust: bool = False
    """As in `CreateRequest`."""
    here: bool = False
    """As in `InstallRequest`."""


@dataclass(frozen=True)
class ExportRequest:
    verb: ClassVar = "export"
    operation: ClassVar = "export.export"

    format: str
    to: str | None = None
    """A file, or a directory for what is several files; None: printed, or the format's own."""
    hashes: bool = False
    group: str | None = None
    """The dependency group of a pyproject.toml; None: `notebook`."""
    cell: bool = False
    """Put into a new cell of the notebook."""


@dataclass(frozen=True)
class CloneRequest:
    verb: ClassVar = "clone"
    operation: ClassVar = "clone.clone"

    source: str
    """The environment that is copied."""
    target: str
    """NAME or PATH of the copy."""
    use: bool = False


@dataclass(frozen=True)
class RenameRequest:
    verb: ClassVar = "rename"
    operation: ClassVar = "rename.rename"

    source: str
    """The environment as it is called now."""
    target: str
    """NAME or PATH that it gets."""


@dataclass(frozen=True)
class UpgradeRequest:
    verb: ClassVar = "upgrade"
    operation: ClassVar = "upgrade.upgrade"

    packages: tuple[str, ...] = ()
    """Names of distributions; none: all that is installed."""
    python: str | None = None
    """The Python that the environment is made anew on."""
    dry_run: bool = False
    audit: bool = False
    """Known vulnerabilities are looked up, which tells a service what is installed."""
    trust: bool = False
    """As in `InstallRequest`."""
    here: bool = False
    """As in `InstallRequest`."""


ENGINES = ("dask", "ray", "spark")
"""Those whose workers `ship` knows."""
IMAGES = ("docker", "binder")
"""What it writes a directory for."""


@dataclass(frozen=True)
class ShipRequest:
    verb: ClassVar = "ship"
    operation: ClassVar = "ship.ship"

    engine: str
    """One of `ENGINES` or `IMAGES`."""
    target: str | None = None
    """The address of a cluster; None: the one that the notebook is connected to. Of `IMAGES` the
    directory, relative ones from the place's."""
    to: str | None = None
    variables: tuple[str, ...] = ()
    """Environment variables that go along; no other does."""
    index: str | None = None
    """The index that workers are told to install from; None: whatever is set there."""
    check: bool = False


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
    | PlanRequest
    | RemoveRequest
    | DoctorRequest
    | AutoloadRequest
    | LockRequest
    | HistoryRequest
    | UndoRequest
    | RestoreRequest
    | ExportRequest
    | CloneRequest
    | RenameRequest
    | UpgradeRequest
    | ShipRequest
)


@dataclass(frozen=True)
class CarryOutRequest:
    """What the first cell of a notebook with its own environment does, before it runs there: no
    verb that a person says, though `sync` means it then."""

    operation: ClassVar = "carry_out.carry_out"

    cell: str = ""
    """The source of that cell, which may not be saved; empty where none waits."""
    trust: bool = False
    failed: dict[str, Problem] = field(default_factory=dict)
    """What went wrong before, by plan; these are not tried again. Added to."""
