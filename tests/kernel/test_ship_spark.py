"""A notebook's environment on Spark's executors: two real ones, which have nothing of it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from support import spark
from support.notebooks import execute

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "spark" / "executors.ipynb"
# What is typed behind the notebook's own cells, in the session that they have started.
AGAIN = "%env ship spark --json"
CHANGED = """\
with open("titles.py", "a") as file:
    print("def loud(title):\\n    return key(title).upper()", file=file)
%env ship spark
"""
USED = """\
def louder(part):
    import titles
    yield from map(titles.loud, part)

print(spark.sparkContext.parallelize(["Déjà Vu"], 1).mapPartitions(louder).collect())
"""
NAMED = """\
import os
os.environ["WORD"] = "told"
%env ship spark --env-var WORD
def word(part):
    yield os.environ.get("WORD")
print(spark.sparkContext.parallelize([1], 1).mapPartitions(word).collect())
"""
OTHER_CLUSTER = "%env ship spark yarn"
MORE = "%env install tabulate"
STALE = "%env record\n%env ship spark"
ANEW = """\
spark.stop()
spark = SparkSession.builder.getOrCreate()
def version(part):
    from importlib.metadata import version
    yield version("tabulate")
print(spark.sparkContext.parallelize([1], 1).mapPartitions(version).collect())
"""
NOWHERE = """\
spark.sparkContext.pythonExec = "./nowhere/python"
%env ship spark
"""
OTHER_PYTHON = """\
spark.sparkContext.pythonExec = {python!r}
%env ship spark
"""
GONE = """\
import signal
for line in os.popen(f"ps -o pid=,comm= --ppid {os.getpid()}"):
    if "java" in line:
        os.kill(int(line.split()[0]), signal.SIGKILL)
os.wait()
%env ship spark
"""


@pytest.fixture(scope="session")
def spark_wheels() -> list[Path]:
    """Without Java the test skips, and says so; in CI that is a failure."""
    if not spark.has_java():
        reason = "no Java on this machine, which Spark runs on"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return spark.ensure()


def with_cells(notebook: Path, *sources: str) -> None:
    """Put more cells behind those of `notebook`; one that fails does not end it."""
    held = json.loads(notebook.read_text(encoding="utf-8"))
    for source in sources:
        tags = {"tags": ["raises-exception"]}
        cell = {"cell_type": "code", "metadata": tags, "source": source, "outputs": []}
        held["cells"].append({**cell, "id": f"more-{len(held['cells'])}", "execution_count": None})
    notebook.write_text(json.dumps(held), encoding="utf-8")


def test_from_nothing_to_a_result_on_executors(
    spark_wheels: list[Path],
    isolated: Any,
    pythons: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for wheel in spark_wheels:
        (isolated.wheels / wheel.name).symlink_to(wheel)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    # three of them start, and live for a minute
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    monkeypatch.setenv(
        "PYSPARK_SUBMIT_ARGS", "--conf spark.task.maxFailures=1"
    )  # of the user's own
    work = Path(shutil.copytree(NOTEBOOK.parent, isolated.work / "spark"))
    notebook = work / NOTEBOOK.name
    here = "{}.{}".format(*sys.version_info[:2])
    other = next((p for v, p in pythons.items() if v != here), None)
    mistaken = [OTHER_PYTHON.format(python=str(other))] if other else []
    more = [AGAIN, CHANGED, USED, NAMED, OTHER_CLUSTER, MORE, STALE, ANEW, *mistaken, NOWHERE, GONE]
    with_cells(notebook, *more)
    cells = execute(notebook, seconds=550)
    said = dict(zip(more, cells[-len(more) :], strict=True))
    shipped, _, result, checked = cells[4:8]
    assert "spark_conf holds it" in shipped and "titles" in shipped
    assert "one-cell" in result and "deja-vu" in result and "/environment" in result
    assert checked.count("Linux") == 2
    again = json.loads(said[AGAIN][said[AGAIN].index("{") :])["data"]
    assert again["sent"] == [] and [w["differs"] for w in again["workers"]] == [[], []]
    assert "Sent to local-cluster[2,1,1024]: titles" in said[CHANGED]
    assert "DEJA-VU" in said[USED]
    assert "Sent to local-cluster[2,1,1024]: WORD" in said[NAMED] and "['told']" in said[NAMED]
    assert "runs on local-cluster[2,1,1024], not on yarn" in said[OTHER_CLUSTER]
    assert "has no tabulate" in said[STALE] and "spark.stop() in a cell" in said[STALE]
    assert "['0." in said[ANEW]
    assert all("run another Python" in said[each] for each in mistaken)
    assert "cannot start ./nowhere/python" in said[NOWHERE]
    assert "The Java process of the Spark session on local-cluster[2,1,1024]" in said[GONE]
