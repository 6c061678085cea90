"""The Spark session of this notebook: what its executors have, and what it takes while it runs."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from envmagic.core.model import Progress
from envmagic.shipping.payload import Payload
from envmagic.shipping.spark import failures, settings
from envmagic.shipping.workers import Seen, look

__all__ = ["Session", "active", "tell", "told_last"]

_SECONDS = 120.0
_ROUNDS = 3
_TELLS = "ENVMAGIC_MODULES"
# Runs on executors, where envmagic is not.
_TASK = """\
def task(look, names, modules, seconds, parts):
    import os, time
    answer = look(names, modules)
    here = os.path.basename(os.getcwd())
    answer["worker"] = answer["host"] + "/" + os.environ.get("SPARK_EXECUTOR_ID", here)
    time.sleep(seconds)
    return iter([answer])
"""


class Session:
    """A session that runs; `context` is its SparkContext."""

    def __init__(self, context: Any) -> None:
        self._context = context

    @property
    def master(self) -> str:
        return str(self._context.master)

    def look(self, payload: Payload, progress: Progress) -> tuple[Seen, ...]:
        """What each executor has. Nothing goes there but the question.

        Raises `EnvmagicError`; the job that asks is taken back where it cannot be answered.
        """
        progress.step("Asking the executors")
        context = self._context
        count = self._executors()
        found: dict[str, Seen] = {}
        slots = max(count, context.defaultParallelism)
        for times in range(1, _ROUNDS + 1):  # tasks that take a while leave some to the others
            asked = _asking(payload, seconds=0.2 * (times - 1))
            for answer in self._ask(asked, times * slots, progress):
                worker = str(answer["worker"])
                found[worker] = Seen.of(worker, answer)
            if len(found) >= count:
                break
        return tuple(found.values())

    def add(self, zips: Mapping[str, Path]) -> None:
        """Give each executor the zipped modules, for the functions that are made from now on."""
        context = self._context
        with failures.explained(self.master):
            for path in zips.values():
                before = list(sys.path)
                context.addPyFile(str(path))
                sys.path[:] = before  # here they are imported from where they are edited
        # a Python that has imported the one before is not used for those functions
        told = [*filter(None, context.environment.get(_TELLS, "").split(",")), *zips]
        context.environment[_TELLS] = ",".join([*told][-50:])

    def carry(self, variables: Mapping[str, str]) -> list[str]:
        """Set the variables in the Pythons of executors; those that were not so."""
        environment = self._context.environment
        changed = [name for name, value in variables.items() if environment.get(name) != value]
        environment.update(variables)
        return changed

    def _executors(self) -> int:
        with failures.explained(self.master):
            scala = self._context._jsc.sc()
            if scala.isStopped():
                raise failures.gone(self.master)
            return max(1, len(list(scala.statusTracker().getExecutorInfos())) - 1)

    def _ask(self, asked: Any, number: int, progress: Progress) -> list[dict[str, Any]]:
        """The answers of `number` tasks; it is waited here, where an interrupt arrives."""
        found: list[dict[str, Any]] = []
        failed: list[BaseException] = []
        context = self._context
        group = f"envmagic-{os.urandom(4).hex()}"

        def ask() -> None:
            try:
                context.setJobGroup(group, "what the executors have", True)
                parts = context.parallelize(range(number), number)
                found.extend(parts.mapPartitions(asked).collect())
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        try:
            waited = 0.0
            while thread.is_alive() and waited < _SECONDS:
                thread.join(0.5)
                waited += 0.5
                progress.waiting()
        finally:
            if thread.is_alive():
                with contextlib.suppress(Exception):
                    context.cancelJobGroup(group)
        with failures.explained(self.master):
            if failed:
                raise failed[0]
            if thread.is_alive():
                raise failures.silent(self.master, _SECONDS)
        return found


def active() -> Session | None:
    """The session that runs in this process; None where none does."""
    pyspark = sys.modules.get("pyspark")
    context = getattr(getattr(pyspark, "SparkContext", None), "_active_spark_context", None)
    return Session(context) if context is not None else None


def tell(told: Mapping[str, str]) -> None:
    """Have the next session of this process begin with the settings `told`."""
    before = os.environ.get("PYSPARK_SUBMIT_ARGS", "")
    os.environ.update(settings.variables(told, before, _earlier))
    context = getattr(sys.modules.get("pyspark"), "SparkContext", None)
    if getattr(context, "_gateway", None) is not None:
        _tell_java(context, told)
    _earlier.clear()
    _earlier.update(told)


def told_last() -> dict[str, str]:
    """The settings that `tell` has told last; none where it has not yet."""
    return dict(_earlier)


_earlier: dict[str, str] = {}


def _tell_java(context: Any, told: Mapping[str, str]) -> None:
    """Its Java goes on when a session has been stopped, and reads no more words."""
    properties = context._jvm.System
    for key in set(_earlier) - set(told):
        properties.clearProperty(key)
    for key, value in told.items():
        properties.setProperty(key, value)
    # which spark-submit makes of the modules, when Java is started
    if "spark.submit.pyFiles" in told or "spark.submit.pyFiles" in _earlier:
        earlier = _earlier.get("spark.submit.pyFiles", "").split(",")
        there = str(properties.getProperty("spark.files", "")).split(",")
        theirs = [each for each in there if each and each not in earlier]
        files = [*told.get("spark.submit.pyFiles", "").split(","), *theirs]
        properties.setProperty("spark.files", ",".join(filter(None, files)))


def _asking(payload: Payload, seconds: float) -> Any:
    """The function that a task is, of no module that can be imported: it goes along whole."""
    namespace: dict[str, Any] = {"__name__": "__envmagic_task__"}
    exec(_TASK, namespace)
    return partial(namespace["task"], look(), payload.names, payload.module_names, seconds)
