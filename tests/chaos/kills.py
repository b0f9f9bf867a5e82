"""What is killed: one thing after the other, as the seed says."""

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import psutil

from dagster_pgflow.errors import StoreError
from dagster_pgflow.store.database import Database
from tests.chaos.deployment import Deployment

PAUSE_S: Final = (1.0, 8.0)

AT_WORK: Final = 10
"""The processes of so many last effects may be at work."""

WEIGHTS: Final[Mapping[str, int]] = {
    "run worker": 15,
    "run worker amid its work": 40,
    "code server child": 6,
    "code server": 6,
    "daemon": 8,
    "flows database": 10,
    "dagster database": 8,
    "session of the flows database": 7,
    "session of the dagster database": 5,
    "all sessions of dagster_pgflow": 5,
}

LIVE_WEIGHTS: Final[Mapping[str, int]] = {
    **WEIGHTS,
    "run worker": 2,
    "run worker amid its work": 5,
    "live child": 15,
    "live child amid its work": 30,
    "live template": 12,
    "live worker": 12,
}

END_SESSIONS: Final = """
select pg_terminate_backend(pid)
from pg_stat_activity
where application_name = 'dagster_pgflow' and pid <> pg_backend_pid()
"""


class Killer:
    """Kills parts of a deployment.

    Attributes:
        killed: How often what was killed.

    Args:
        deployed: The deployment.
        draw: Decides.
        weights: How often what is killed, where that is not all that the deployment has.
    """

    def __init__(
        self,
        deployed: Deployment,
        draw: random.Random,
        weights: Mapping[str, int] | None = None,
    ) -> None:
        self._weights = weights or (LIVE_WEIGHTS if deployed.live_workers else WEIGHTS)
        self._deployed = deployed
        self._draw = draw
        self.killed: Counter[str] = Counter()

    def pause(self) -> float:
        """Returns how long to wait before the next kill, in seconds."""
        return self._draw.uniform(*PAUSE_S)

    def kill(self) -> str:
        """Kills something, if there is such a thing now, and returns what it was."""
        [what] = self._draw.choices(list(self._weights), list(self._weights.values()))
        kills: Mapping[str, Callable[[], object]] = {
            "run worker": lambda: self._kill_one(self._deployed.run_workers()),
            "run worker amid its work": lambda: self._kill_one(
                self._working(self._deployed.run_workers())
            ),
            "live child": lambda: self._kill_one(self._live(at_work=True)),
            "live child amid its work": lambda: self._kill_one(
                self._working(self._live(at_work=True))
            ),
            "live template": lambda: self._kill_one(self._live(at_work=False)),
            "live worker": self._kill_live_worker,
            "code server child": self._kill_child,
            "code server": self._deployed.code_server.kill,
            "daemon": self._deployed.daemon.kill,
            "flows database": lambda: self._deployed.kill_postgres("flows"),
            "dagster database": lambda: self._deployed.kill_postgres("dagster"),
            "session of the flows database": lambda: self._deployed.kill_session("flows"),
            "session of the dagster database": lambda: self._deployed.kill_session("dagster"),
            "all sessions of dagster_pgflow": self._end_sessions,
        }
        if kills[what]() is False:
            return f"no {what}"
        self.killed[what] += 1
        return what

    def _kill_one(self, processes: list[psutil.Process]) -> bool:
        with suppress(psutil.Error):
            if processes:
                self._draw.choice(sorted(processes, key=lambda process: process.pid)).kill()
                return True
        return False

    def _working(self, processes: list[psutil.Process]) -> list[psutil.Process]:
        """Return those of the processes of which a handler has just done something."""
        told = self._deployed.effects.read_text().splitlines()[-AT_WORK:]
        at_work = {json.loads(line)["pid"] for line in told}
        return [one for one in processes if one.pid in at_work]

    def _live(self, *, at_work: bool) -> list[psutil.Process]:
        return self._deployed.live_processes(at_work=at_work)

    def _kill_live_worker(self) -> bool:
        workers = [one for one in self._deployed.live_workers if one.is_up()]
        if workers:
            self._draw.choice(workers).kill()
        return bool(workers)

    def _kill_child(self) -> bool:
        child = self._deployed.code_server_child()
        if child is not None:
            child.kill()
        return child is not None

    def _end_sessions(self) -> bool:
        database = Database(self._deployed.url)
        try:
            database.run(lambda transaction: transaction.run_sql(END_SESSIONS))
        except StoreError:
            return False
        finally:
            database.close()
        return True
