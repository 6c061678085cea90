"""Asking each node of a Ray cluster what its workers have."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from envmagic.core.model import Progress
from envmagic.shipping import workers
from envmagic.shipping.payload import Payload
from envmagic.shipping.workers import Seen

__all__ = ["look"]


def look(
    ray: Any, payload: Payload, progress: Progress, runtime_env: Mapping[str, Any] | None = None
) -> tuple[Seen, ...]:
    """What a task on each node has that can run any, with `runtime_env` or what the session was
    begun with. Raises what Ray raises; what was asked is called off then."""
    asking = ray.remote(workers.look())
    asked: dict[Any, str] = {}
    try:
        for node, name in _nodes(ray).items():
            task = asking.options(**_on(ray, node, runtime_env))
            asked[task.remote(payload.names, payload.module_names)] = name
        left = list(asked)
        while left:
            _, left = ray.wait(left, num_returns=len(left), timeout=1.0, fetch_local=False)
            progress.waiting()
        answers = ray.get(list(asked))
    except BaseException:
        with contextlib.suppress(Exception):  # what was raised says more
            for reference in asked:
                ray.cancel(reference, force=True)
        raise
    return tuple(
        Seen.of(name, answer) for name, answer in zip(asked.values(), answers, strict=True)
    )


def _on(ray: Any, node: str, runtime_env: Mapping[str, Any] | None) -> dict[str, Any]:
    # without a claim to a processor it does not wait for the user's own tasks
    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)
    options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": affinity}
    return options if runtime_env is None else {**options, "runtime_env": dict(runtime_env)}


def _nodes(ray: Any) -> dict[str, str]:
    """Id -> name of the nodes that run tasks: one without a processor is there to lead only."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    working = [node for node in alive if node["Resources"].get("CPU")] or alive
    times = Counter(node["NodeManagerAddress"] for node in working)
    return {node["NodeID"]: _name(node, times) for node in working}


def _name(node: Mapping[str, Any], times: Mapping[str, int]) -> str:
    address = str(node["NodeManagerAddress"])
    return address if times[address] == 1 else f"{address} {node['NodeID'][:6]}"
