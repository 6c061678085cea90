"""The engine that needs no conda: py-rattler, which solves and links in this process."""

from __future__ import annotations

import asyncio
import queue
import re
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Progress
from envmagic.environments.backends.conda import condarc, environment_file, metadata, specs
from envmagic.environments.backends.conda.engine import NotInChannels, Transaction
from envmagic.system import process

__all__ = ["RattlerEngine"]

_POLL = 0.2  # seconds: how soon an interrupt is noticed
Say = queue.SimpleQueue[tuple[str, str]]


class RattlerEngine:
    name = "rattler"

    def apply(self, change: Transaction, progress: Progress) -> None:
        if condarc.files():
            environment_file.require_reader(".condarc")
        settings = condarc.load()
        said: Say = queue.SimpleQueue()
        try:
            _in_thread(_apply(change, settings, said), said, progress)
        except (EnvmagicError, NotInChannels):
            raise
        except Exception as error:  # rattler's errors share no base
            raise _explained(error, change, settings) from error


def _in_thread(work: Coroutine[Any, Any, None], said: Say, progress: Progress) -> None:
    """Run `work` in a loop of its own, since a kernel's is running; what it says is shown from
    this thread, because what another one displays lands in the wrong cell."""
    outcome: list[BaseException] = []
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except BaseException as error:
            outcome.append(error)
        finally:
            loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while thread.is_alive() and _show(said, progress):
            pass
        thread.join()
    except BaseException:  # an interrupt: nothing of ours goes on in the background
        loop.call_soon_threadsafe(task.cancel)
        thread.join(30)
        raise
    if outcome:
        raise outcome[0]


def _show(said: Say, progress: Progress) -> bool:
    """Show the next thing said, if there is one soon; False when it was the last."""
    try:
        kind, message = said.get(timeout=_POLL)
    except queue.Empty:
        progress.waiting()
        return True
    if kind == "step":
        progress.step(message)
    elif kind == "detail":
        progress.detail(message)
    return kind != "end"


async def _apply(change: Transaction, settings: condarc.Condarc, said: Say) -> None:
    import rattler

    try:
        urls = _urls(change, settings)
        action = "force-cache-only" if settings.offline else "cache-or-fetch"
        gateway = rattler.Gateway(
            cache_dir=str(metadata.rattler_cache() / "repodata"),
            default_config=rattler.SourceConfig(cache_action=action),
        )
        said.put(("step", f"Solving with {', '.join(_short(url) for url in urls)}"))
        installed = _installed(change.prefix)
        await _refuse_unknown(change, urls, gateway)
        records = await _solve(change, settings, urls, gateway, installed)
        asked = {**{_name(s): s for s in change.kept}, **{_name(s): s for s in change.specs}}
        wanted = [
            rattler.MatchSpec(s)._match_spec for n, s in asked.items() if not _gone(n, change)
        ]
        await rattler.install(
            records,
            target_prefix=str(change.prefix),
            cache_dir=str(metadata.rattler_cache() / "pkgs"),
            installed_packages=installed,
            reinstall_packages=set(change.reinstall) or None,
            show_progress=False,
            execute_link_scripts=True,
            requested_specs=wanted,
            reporter=_reporter(said),
        )
    finally:
        said.put(("end", ""))


async def _refuse_unknown(change: Transaction, urls: list[str], gateway: Any) -> None:
    """Tell names that no channel has from everything else that the solver may say."""
    import rattler

    plain = [s for s in change.specs if "::" not in s]
    if not plain:
        return
    there = await gateway.names(urls, [str(rattler.Subdir.current()), "noarch"])
    known = {name.normalized for name in there}
    unknown = [n for n in dict.fromkeys(_name(s) for s in plain) if n not in known]
    if unknown:
        raise NotInChannels(unknown)


async def _solve(
    change: Transaction,
    settings: condarc.Condarc,
    urls: list[str],
    gateway: Any,
    installed: list[Any],
) -> list[Any]:
    """The records the environment is to hold. Nothing that is there goes without need: first it is
    tried to keep every package, and only when that cannot be, those asked for alone."""
    import rattler

    new = {_name(s) for s in change.specs}
    asked = [*change.specs, *(s for s in change.kept if _name(s) not in new)]
    asked = [s for s in asked if not _gone(_name(s), change)]
    there = [r.name.normalized for r in installed]
    rest = [n for n in there if n not in {_name(s) for s in asked} and not _gone(n, change)]
    priority = settings.channel_priority.capitalize()
    options = {
        "gateway": gateway,
        "virtual_packages": rattler.VirtualPackage.detect(
            rattler.VirtualPackageOverrides.from_env()
        ),
        "channel_priority": getattr(rattler.ChannelPriority, priority, None)
        or rattler.ChannelPriority.Flexible,
        "constraints": [*change.held, *settings.pinned_packages],
        "locked_packages": [] if change.upgrade else installed,
    }
    if rest and not change.remove:
        try:
            return list(await rattler.solve(urls, [*asked, *rest], **options))
        except rattler.exceptions.SolverError:
            pass
    return list(await rattler.solve(urls, asked, **options))


def _installed(prefix: Path) -> list[Any]:
    import rattler

    found = []
    for file in sorted((prefix / "conda-meta").glob("*.json")):
        try:
            found.append(rattler.PrefixRecord.from_path(file))
        except Exception as error:  # rattler's own base class says no more than this
            if metadata.is_json(file):
                raise EnvmagicError(
                    "bad-conda-meta",
                    f"{display.user_path(file)} cannot be read: {error}.",
                    subject=str(file),
                ) from error
            file.unlink()  # cut off while it was written: its package is linked anew
    return found


def _urls(change: Transaction, settings: condarc.Condarc) -> list[str]:
    """The channels in their order: those asked for, then the configured ones."""
    named = [c for c in change.channels if c != "nodefaults"]
    if "nodefaults" not in change.channels:
        named += settings.channels
    named = named or [condarc.CONDA_FORGE]
    return list(dict.fromkeys(url for channel in named for url in settings.urls(channel)))


def _reporter(said: Say) -> Any:
    import rattler

    class Reporter(rattler.InstallerReporter):  # type: ignore[misc,name-defined,unused-ignore]
        """Says what is downloaded and linked; called from rattler's own threads."""

        def __init__(self) -> None:
            super().__init__()
            self.total, self.downloads, self.linked = 0, 0, 0

        def on_transaction_start(self, total_operations: int) -> None:
            self.total = total_operations
            said.put(("step", f"Downloading and linking {total_operations} conda packages"))

        def on_download_start(self, cache_entry: int) -> int:
            self.downloads += 1
            return self.downloads

        def on_download_progress(self, download_idx: int, progress: int, total: Any) -> None:
            if total:
                share = f"{progress / 1e6:.1f} of {total / 1e6:.1f} MB"
                said.put(("detail", f"download {download_idx}: {share}"))

        def on_link_start(self, operation: int, package_name: str) -> int:
            self.linked += 1
            said.put(("detail", f"linking {package_name} ({self.linked} of {self.total})"))
            return operation

    return Reporter()


def _explained(error: Exception, change: Transaction, settings: condarc.Condarc) -> EnvmagicError:
    """What rattler said, for a person: its own words where it is the solver that speaks."""
    kind, text = type(error).__name__, process.redact(str(error)).strip()
    lower = text.lower()
    if kind == "SolverError":
        text = re.sub(r"^Cannot solve the request because of: ", "", text)
        return EnvmagicError("conda-conflict", f"conda cannot solve this: {text}")
    if kind == "InvalidMatchSpecError":
        return EnvmagicError("bad-requirement", f"A package is not written as conda does: {text}.")
    if "no space left" in lower or "os error 28" in lower:
        return EnvmagicError("no-space", "No space left on the disk while linking conda packages.")
    channels = ", ".join(_short(u) for u in _urls(change, settings))
    if kind in ("GatewayError", "FetchRepoDataError"):
        first = text.splitlines()[0]
        if "could not find subdir" in lower or "404" in lower:
            return EnvmagicError("no-channel", f"There is no such channel: {first}.")
        if settings.offline:
            return EnvmagicError(
                "offline",
                f"conda is set to offline, and {channels} was never fetched here.",
                "Set `offline: false` in .condarc.",
            )
        return EnvmagicError(
            "no-network",
            f"The conda channel cannot be reached ({channels}): {_cause(text)}.",
            "Check the network and try again.",
        )
    return EnvmagicError("install-failed", f"Linking conda packages failed: {text.splitlines()[0]}")


def _cause(text: str) -> str:
    """The innermost reason, which rattler puts last."""
    return text.splitlines()[-1].removeprefix("Caused by: ").rstrip(".")


def _name(spec: str) -> str:
    return specs.conda_name(spec.rpartition("::")[2])


def _gone(name: str, change: Transaction) -> bool:
    return name in change.remove


def _short(url: str) -> str:
    return process.redact(url).rstrip("/").rpartition("/")[2] or url
