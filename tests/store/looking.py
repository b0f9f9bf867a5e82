"""A process that lets triggers look at events, and never commits what it has started."""

import signal
import sys

from dagster_pgflow.store.database import Database
from dagster_pgflow.store.trigger_queue import _look

if __name__ == "__main__":
    database = Database(sys.argv[1])
    with database.transaction() as transaction:
        assert _look(transaction, 10) == 1
        print("started", flush=True)
        signal.pause()
