"""What a Spark session is told before it starts, in Spark's words."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from envmagic.core.model import Environment

__all__ = ["NAME", "PYTHON", "of", "shown", "submit_arguments", "submit_options", "variables"]

NAME = "environment"
"""The directory that executors unpack the archive in."""
PYTHON = f"./{NAME}/bin/python"

_LISTS = {"--archives": "spark.archives", "--py-files": "spark.submit.pyFiles"}
"""Settings that hold several things, and the option that goes before each."""
_SINGLE = {"--master": "spark.master"}
_CARRIED = "spark.executorEnv."
_ENDS = "pyspark-shell"


def of(
    archive: Path,
    zips: Sequence[Path],
    carried: Mapping[str, str],
    environment: Environment,
    master: str | None,
) -> dict[str, str]:
    """The settings that have executors unpack `archive` and start its Python, with the modules in
    `zips` and the variables `carried`."""
    return {
        **({"spark.master": master} if master else {}),
        "spark.archives": f"{archive.as_uri()}#{NAME}",
        "spark.pyspark.python": PYTHON,
        "spark.pyspark.driver.python": str(environment.python),
        **({"spark.submit.pyFiles": ",".join(path.as_uri() for path in zips)} if zips else {}),
        **{_CARRIED + name: value for name, value in carried.items()},
    }


def shown(settings: Mapping[str, str]) -> dict[str, str]:
    """`settings` for outputs, which get saved: without the values of variables."""
    return {k: "…" if k.startswith(_CARRIED) else v for k, v in settings.items()}


def submit_options(settings: Mapping[str, str]) -> str:
    """The same as words for spark-submit, but for the driver's Python, which may run elsewhere, and
    for variables."""
    options = {key: option for option, key in {**_LISTS, **_SINGLE}.items()}
    words: list[str] = []
    for key, value in settings.items():
        if key in options:
            words += [options[key], value]
        elif key == "spark.pyspark.python":
            words += ["--conf", f"{key}={value}"]
    return shlex.join(words)


def variables(
    settings: Mapping[str, str], before: str, earlier: Mapping[str, str]
) -> dict[str, str]:
    """The environment variables that say the same to a session of this process; as
    `submit_arguments`."""
    return {
        "PYSPARK_PYTHON": settings["spark.pyspark.python"],
        "PYSPARK_DRIVER_PYTHON": settings["spark.pyspark.driver.python"],
        "PYSPARK_SUBMIT_ARGS": submit_arguments(settings, before, earlier),
    }


def submit_arguments(settings: Mapping[str, str], before: str, earlier: Mapping[str, str]) -> str:
    """The words of spark-submit (`PYSPARK_SUBMIT_ARGS`) that were `before`, with `settings` in the
    place of those of an `earlier` ship; archives and modules that the user named stay, too."""
    kept, theirs = _split(shlex.split(before) or [_ENDS])
    for key in [key for key in theirs if earlier.get(key) == theirs[key]]:
        del theirs[key]
    for key in _LISTS.values():
        ours = {each for told in (settings, earlier) for each in told.get(key, "").split(",")}
        named = [each for each in theirs.get(key, "").split(",") if each not in ours]
        theirs[key] = ",".join(filter(None, [settings.get(key, ""), *named]))
    said = {**theirs, **{k: v for k, v in settings.items() if k not in _LISTS.values()}}
    words = [word for k, v in said.items() if v for word in ("--conf", f"{k}={v}")]
    return shlex.join([*kept[:-1], *words, kept[-1]])


def _split(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The words without settings, which are behind them by name."""
    options = {**_LISTS, **_SINGLE}
    kept: list[str] = []
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if option != "--conf" and option not in options:
            kept.append(word)
            continue
        value = value if equals else next(rest, "")
        key = options.get(option, "")
        if not key:
            key, _, value = value.partition("=")
        joins = key in _LISTS.values() and key in found
        found[key] = f"{found[key]},{value}" if joins else value
    return (kept if kept[-1:] == [_ENDS] else [*kept, _ENDS]), found
