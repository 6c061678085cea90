"""From the words of a verb, sorted by option, to its request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from envmagic.core.model import BackendName
from envmagic.core.verbs import (
    AttachRequest,
    CreateRequest,
    DoctorRequest,
    InstallRequest,
    ListRequest,
    RecordRequest,
    RemoveRequest,
    Request,
    StatusRequest,
    SyncRequest,
    UninstallRequest,
    UseRequest,
)

__all__ = ["Values", "create", "request"]


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


def request(verb: str, values: Values) -> Request:
    """What `values` ask of `verb`."""
    return _MAKERS[verb](values)


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
    )


def _attach(values: Values) -> AttachRequest:
    return AttachRequest(values.words[0], use=values.yes("--use", "--no-use"))


def _install(values: Values) -> InstallRequest:
    return InstallRequest(
        values.words, values.all("--requirement"), upgrade=values.has("--upgrade")
    )


def _record(values: Values) -> RecordRequest:
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


def _remove(values: Values) -> RemoveRequest:
    return RemoveRequest(values.words[0], yes=values.has("--yes"), dry_run=values.has("--dry-run"))


_MAKERS: dict[str, Callable[[Values], Request]] = {
    "create": create,
    "attach": _attach,
    "use": lambda values: UseRequest(values.words[0], drop=values.has("--drop")),
    "install": _install,
    "uninstall": lambda values: UninstallRequest(values.words),
    "sync": lambda values: SyncRequest(),
    "record": _record,
    "list": lambda values: ListRequest(size=values.has("--size")),
    "status": lambda values: StatusRequest(),
    "remove": _remove,
    "doctor": lambda values: DoctorRequest(fix=values.has("--fix")),
}
