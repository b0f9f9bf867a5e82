"""What is killed: one thing after the other, as the seed says."""

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

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

END_SESSIONS: Final = """
select pg_terminate_backend(pid)
from pg_stat_activity
where application_name = 'dagster_pgflow' and pid <> pg_backend_pid()
"""


class Killer:
    """Kills parts of a deployment.

    Attributes:
        killed: How often what was killed.
    """

    def __init__(self, deployed: Deployment, draw: random.Random) -> None:
        self._deployed = deployed
        self._draw = draw
        self.killed: Counter[str] = Counter()

    def pause(self) -> float:
        """Returns how long to wait before the next kill, in seconds."""
        return self._draw.uniform(*PAUSE_S)

    def kill(self) -> str:
        """Kills something, if there is such a thing now, and returns what it was."""
        [what] = self._draw.choices(list(WEIGHTS), list(WEIGHTS.values()))
        kills: Mapping[str, Callable[[], object]] = {
            "run worker": self._kill_run_worker,
            "run worker amid its work": self._kill_working,
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

    def _kill_run_worker(self) -> bool:
        workers = sorted(self._deployed.run_workers(), key=lambda process: process.pid)
        if workers:
            self._draw.choice(workers).kill()
        return bool(workers)

    def _kill_working(self) -> bool:
        """Kills the process of a handler that has just done something."""
        told = self._deployed.effects.read_text().splitlines()[-AT_WORK:]
        at_work = {json.loads(line)["pid"] for line in told}
        workers = [one for one in self._deployed.run_workers() if one.pid in at_work]
        if workers:
            self._draw.choice(sorted(workers, key=lambda process: process.pid)).kill()
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
