"""From the words of a verb, sorted by option, to its request: a function for each verb."""

from __future__ import annotations

import re
from dataclasses import dataclass

from envmagic.core import display
from envmagic.core.errors import WordsError
from envmagic.core.model import BackendName
from envmagic.core.verbs import (
    ENGINES,
    IMAGES,
    AttachRequest,
    AutoloadRequest,
    CloneRequest,
    CreateRequest,
    DoctorRequest,
    ExportRequest,
    HistoryRequest,
    InstallRequest,
    ListRequest,
    LockRequest,
    PlanRequest,
    RecordRequest,
    RemoveRequest,
    RenameRequest,
    RestoreRequest,
    ShipRequest,
    StatusRequest,
    SyncRequest,
    UndoRequest,
    UninstallRequest,
    UpgradeRequest,
    UseRequest,
)

__all__ = ["Values"]


@dataclass(frozen=True)
class Values:
    """The words of one verb, sorted by the option they belong to."""

    words: tuple[str, ...]
    options: tuple[tuple[str, tuple[str, ...]], ...]

    def has(self, key: str) -> bool:
        return any(k == key for k, _ in self.options)

    def all(self, key: str) -> tuple[str, ...]:
        return tuple(word for k, words in self.options if k == key for word in words)

    def last(self, key: str) -> str | None:
        words = self.all(key)
        return words[-1] if words else None

    def yes(self, on: str, off: str) -> bool:
        """Whether `on` holds; the later of the two wins and `on` is the default."""
        said = [key for key, _ in self.options if key in (on, off)]
        return not said or said[-1] == on


def create(values: Values) -> CreateRequest:
    """What `create` is asked, also as the line of a `%%env` cell."""
    backend = values.last("--backend")
    return CreateRequest(
        target=values.words[0] if values.words else None,
        requirements=values.all("--with"),
        files=values.all("--requirement"),
        bare=values.has("--bare"),
        python=values.last("--python"),
        backend=BackendName(backend) if backend else None,
        channels=values.all("--channel"),
        use=values.yes("--use", "--no-use"),
        upgrade=values.has("--upgrade"),
        trust=values.has("--trust"),
        leave=values.has("--leave"),
    )


def attach(values: Values) -> AttachRequest:
    use = values.yes("--use", "--no-use")
    return AttachRequest(values.words[0], use=use, leave=values.has("--leave"))


def install(values: Values) -> InstallRequest:
    return InstallRequest(
        values.words,
        values.all("--requirement"),
        upgrade=values.has("--upgrade"),
        trust=values.has("--trust"),
        here=values.has("--here"),
    )


def record(values: Values) -> RecordRequest:
    state = values.words[0] if values.words[:1] in (("on",), ("off",)) else None
    return RecordRequest(
        state=state,
        paths=values.words[1:] if state else values.words,
        to=values.last("--to"),
        pin=values.last("--pin"),
        env=values.last("--env"),
        check=values.has("--check"),
        online=values.has("--online"),
    )


def remove(values: Values) -> RemoveRequest:
    return RemoveRequest(values.words[0], yes=values.has("--yes"), dry_run=values.has("--dry-run"))


def use(values: Values) -> UseRequest:
    return UseRequest(values.words[0], drop=values.has("--drop"), leave=values.has("--leave"))


def uninstall(values: Values) -> UninstallRequest:
    return UninstallRequest(values.words, yes=values.has("--yes"), here=values.has("--here"))


def sync(values: Values) -> SyncRequest:
    return SyncRequest(
        trust=values.has("--trust"), here=values.has("--here"), locked=values.has("--locked")
    )


def list_all(values: Values) -> ListRequest:
    return ListRequest(size=values.has("--size"), all=values.has("--all"))


def status(values: Values) -> StatusRequest:
    return StatusRequest()


def plan(values: Values) -> PlanRequest:
    return PlanRequest(values.words[0] if values.words else None)


def doctor(values: Values) -> DoctorRequest:
    return DoctorRequest(fix=values.has("--fix"), report=values.has("--report"))


def autoload(values: Values) -> AutoloadRequest:
    return AutoloadRequest(values.words[0] if values.words else None)


def lock(values: Values) -> LockRequest:
    return LockRequest(
        values.words,
        to=values.last("--to"),
        check=values.has("--check"),
        universal=values.has("--universal"),
    )


def history(values: Values) -> HistoryRequest:
    return HistoryRequest(all=values.has("--all"))


def undo(values: Values) -> UndoRequest:
    """What `undo` is asked. Raises `WordsError` for what is no number of a change."""
    word = values.words[0] if values.words else None
    if word is not None and not re.fullmatch(r"[0-9]{1,9}", word):
        raise WordsError(
            "option-value",
            f"{display.shortened(word)} is no number of a change.",
            "To see them",
            command=("history",),
        )
    return UndoRequest(int(word) if word is not None else None, here=values.has("--here"))


def restore(values: Values) -> RestoreRequest:
    """What `restore` is asked. Raises `WordsError` for two words of one kind."""
    notebooks = [word for word in values.words if word.lower().endswith(".ipynb")]
    targets = [word for word in values.words if word not in notebooks]
    for kind, found in (("notebook", notebooks), ("environment", targets)):
        if len(found) > 1:
            raise WordsError(
                "extra-word",
                f"restore takes one {kind}; {display.shortened(found[1])} is one too many.",
                "For help",
                command=("restore", "-h"),
                subject=found[1],
            )
    return RestoreRequest(
        notebooks[0] if notebooks else None,
        targets[0] if targets else None,
        as_of=values.last("--as-of"),
        python=values.last("--python"),
        dry_run=values.has("--dry-run"),
        trust=values.has("--trust"),
        here=values.has("--here"),
    )


def export(values: Values) -> ExportRequest:
    """What `export` is asked. Raises `WordsError` for an option of another format."""
    (format,) = values.words
    for key, example in _OF_ONE_FORMAT.items():
        if values.has(key) and format != example[0]:
            raise WordsError(
                "option-value",
                f"{key} is for {example[0]}, and not for {format}.",
                "For example",
                command=("export", *example),
                subject=key,
            )
    return ExportRequest(
        format,
        to=values.last("--to"),
        hashes=values.has("--hashes"),
        group=values.last("--group"),
        cell=values.has("--cell"),
    )


_OF_ONE_FORMAT = {
    "--hashes": ("requirements", "--hashes"),
    "--group": ("pyproject", "--group", "notebook"),
    "--cell": ("pep723", "--cell"),
}
"""The formats that have an option alone, each as it is typed."""


def clone(values: Values) -> CloneRequest:
    return CloneRequest(values.words[0], values.words[1], use=values.has("--use"))


def rename(values: Values) -> RenameRequest:
    return RenameRequest(values.words[0], values.words[1])


def upgrade(values: Values) -> UpgradeRequest:
    return UpgradeRequest(
        values.words,
        python=values.last("--python"),
        dry_run=values.has("--dry-run"),
        audit=values.has("--audit"),
        trust=values.has("--trust"),
        here=values.has("--here"),
    )


def ship(values: Values) -> ShipRequest:
    """What `ship` is asked. Raises `WordsError` for an engine that is not known."""
    engine, *target = values.words
    if engine in IMAGES:
        _check_image(engine, values)
    elif engine not in ENGINES:
        raise WordsError(
            "option-value",
            f"{display.shortened(engine)} is no engine that envmagic knows.",
            f"One of: {', '.join((*ENGINES, *IMAGES))}.",
            subject=engine,
        )
    return ShipRequest(
        engine,
        target[0] if target else None,
        to=values.last("--to"),
        variables=values.all("--env-var"),
        index=values.last("--index"),
        check=values.has("--check"),
    )


def _check_image(kind: str, values: Values) -> None:
    """Raise `WordsError` for what makes no image."""
    if len(values.words) < 2:
        raise WordsError(
            "missing-word",
            f"ship {kind} needs DIR, the directory that the image is built of.",
            "For example",
            command=("ship", kind, "image"),
        )
    for option in ("--to", "--index"):
        if values.has(option):
            raise WordsError(
                "option-value",
                f"{option} is not for {kind}, which writes into DIR.",
                "For example",
                command=("ship", kind, values.words[1]),
                subject=option,
            )
