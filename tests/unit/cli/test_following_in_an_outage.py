"""Who waits for a run waits for its database too."""

import threading

import pytest

from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from tests.own_server import own_server, somebody_waits
from tests.polling import poll
from tests.unit.cli.conftest import Cli

RUN = "11111111-2222-3333-4444-555555555555"


def test_a_command_that_waits_for_a_run_outlives_a_restart_of_the_database(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_server() as server, somebody_waits() as waits:
        monkeypatch.setenv("PGFLOW_DATABASE_URL", server.url)
        database = Database(server.url)
        FlowBuilder(database).create_flow("f")
        FlowBuilder(database).add_step("f", "a")
        database.close()

        def restart_and_finish() -> None:
            sql = server.session()
            poll(lambda: sql("select from pgflow.runs"))
            sql.close()
            server.kill()
            waits.wait()
            server.start()
            sql = server.session()
            sql("update pgflow.runs set status = 'completed', output = '1', completed_at = now()")
            sql.close()

        outage = threading.Thread(target=restart_and_finish)
        outage.start()
        result = cli("start", "f", "--run-id", RUN, "--wait")
        waits.set()
        outage.join()
    assert result.exit_code == 0, result.stderr
    assert f"Run {RUN} of flow f completed" in result.stderr
