"""What a Spark session is told, in spark-submit's words, and what it says when it fails."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import BackendName, Environment
from envmagic.shipping.spark import failures, settings

HERE = Environment(Path("/e"), Path("/e/bin/python"), "3.12.4", BackendName.VENV, owned=True)


def told(zips: tuple[str, ...] = ("/m/one.zip",), **more: str) -> dict[str, str]:
    return settings.of(Path("/a/x y.tar.gz"), [Path(z) for z in zips], more, HERE, None)


def conf(arguments: str) -> dict[str, str]:
    words = shlex.split(arguments)
    assert words[-1] == "pyspark-shell"
    return dict(word.split("=", 1) for word in words if "=" in word)


def test_a_session_unpacks_the_archive_and_starts_its_python() -> None:
    found = told(KEY="value")
    assert found == {
        "spark.archives": "file:///a/x%20y.tar.gz#environment",
        "spark.pyspark.python": "./environment/bin/python",
        "spark.pyspark.driver.python": "/e/bin/python",
        "spark.submit.pyFiles": "file:///m/one.zip",
        "spark.executorEnv.KEY": "value",
    }
    assert conf(settings.submit_arguments(found, "", {})) == found
    assert settings.shown(found)["spark.executorEnv.KEY"] == "…"
    assert "value" not in settings.submit_options(found)


def test_what_the_user_has_set_stays_and_what_an_earlier_ship_has_set_goes() -> None:
    theirs = "--driver-memory 1g --archives d.zip#d --conf spark.executorEnv.A=1 --py-files p.py x"
    first = settings.submit_arguments(told(KEY="value"), theirs, {})
    again = told(("/m/two.zip",))
    found = settings.submit_arguments(again, first, told(KEY="value"))
    assert conf(found) == {
        **again,
        "spark.archives": "file:///a/x%20y.tar.gz#environment,d.zip#d",
        "spark.submit.pyFiles": "file:///m/two.zip,p.py",
        "spark.executorEnv.A": "1",
    }
    assert shlex.split(found)[:3] == ["--driver-memory", "1g", "x"]
    assert settings.submit_arguments(again, found, again) == found
    without = settings.submit_arguments(told(()), found, again)
    assert conf(without)["spark.submit.pyFiles"] == "p.py"


@pytest.mark.parametrize("given", ["--master=yarn", "--master yarn", "--conf spark.master=yarn"])
def test_a_master_that_the_user_has_set_stays(given: str) -> None:
    assert conf(settings.submit_arguments(told(), given, {}))["spark.master"] == "yarn"


SAID = [
    (
        RuntimeError("[PYTHON_VERSION_MISMATCH] Python in worker"),
        "another-python",
        "another Python",
    ),
    (
        RuntimeError('Cannot run program "./environment/bin/python": error=2'),
        "no-interpreter",
        "./",
    ),
    (ConnectionRefusedError(111, "refused"), "cluster-gone", "Java process"),
    (RuntimeError("\nJob aborted\n  at java"), "ship-failed", "failed: Job aborted"),
]


@pytest.mark.parametrize(("raised", "code", "words"), SAID)
def test_what_spark_says_becomes_one_line(raised: Exception, code: str, words: str) -> None:
    with pytest.raises(EnvmagicError) as found, failures.explained("spark://h:1"):
        raise raised
    assert found.value.problem.code == code and words in found.value.problem.message
    assert "\n" not in found.value.problem.line("%env")
