"""DBOS, as a process that is told line by line what to do: `python dbos_peer.py DATABASE_URL`.

It knows nothing of dagster_pgflow, and answers each line with one of JSON, in seconds.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from dbos import DBOS

STEPS = 100
QUEUES = {"as_it_comes": 1.0, "quick": 0.05}
"""How often DBOS looks into each, in seconds; the first is what it does when nobody says."""

DBOS(config={"name": "peers", "system_database_url": sys.argv[1], "log_level": "ERROR"})


def now() -> float:
    """The step."""
    return time.time()


noted = DBOS.step()(now)


def one(_number: int) -> Any:
    """Returns when its step began."""
    return noted()


def chain(_number: int) -> Any:
    """Returns when its first step began."""
    first, *_rest = [noted() for _ in range(STEPS)]
    return first


WORKFLOWS = {"one": DBOS.workflow()(one), "chain": DBOS.workflow()(chain)}


def direct(workflow: str) -> Mapping[str, float]:
    """Starts a workflow in this process."""
    asked = time.time()
    return _told(asked, DBOS.start_workflow(WORKFLOWS[workflow], 0).get_result())


def queued(workflow: str, queue: str) -> Mapping[str, float]:
    """Starts a workflow through a queue."""
    asked = time.time()
    handle = DBOS.enqueue_workflow(queue, WORKFLOWS[workflow], 0)
    # The handle looks once a second; whoever wants it sooner looks at the status.
    while handle.get_status().status not in ("SUCCESS", "ERROR"):
        time.sleep(0.005)
    return _told(asked, handle.get_result())


def burst(count: str, queue: str) -> Mapping[str, float]:
    """Starts many workflows through a queue."""
    asked = time.time()
    handles = [DBOS.enqueue_workflow(queue, WORKFLOWS["one"], n) for n in range(int(count))]
    first = min(handle.get_result() for handle in handles)
    return _told(asked, first)


def _told(asked: float, first: float) -> Mapping[str, float]:
    return {"first": first - asked, "all": time.time() - asked}


def main() -> None:
    """Does what is asked for."""
    DBOS.launch()
    for name, every in QUEUES.items():
        DBOS.register_queue(name, polling_interval_sec=every)
    print(json.dumps("ready"), flush=True)
    known: Mapping[str, Callable[..., Mapping[str, float]]] = {
        "direct": direct,
        "queued": queued,
        "burst": burst,
    }
    for line in sys.stdin:
        what, *words = line.split()
        print(json.dumps(known[what](*words)))
        sys.stdout.flush()
    DBOS.destroy()


if __name__ == "__main__":
    main()
