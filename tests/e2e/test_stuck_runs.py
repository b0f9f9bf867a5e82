"""A run whose process is gone does not stay under way for ever."""

import os
import signal
import subprocess
import sys
from typing import Any

from tests.e2e.conftest import STUCK_S, Deployment, begins_with
from tests.execution import elsewhere
from tests.polling import poll
from tests.postgres import Session

LONGEST_SILENCE_S = 5


def begin_a_run_that_is_killed(deployment: Deployment, sql: Session) -> Any:
    sql("select pgflow.create_flow('doomed', max_attempts => 1)")
    sql(
        "select pgflow.add_step('doomed', 'killed', handler => 'killed', timeout => %s)",
        LONGEST_SILENCE_S,
    )
    sql("select pgflow.add_step('doomed', 'after', array['killed'], handler => 'quick')")
    # No code server has started it, so none notices the end of its process.
    return subprocess.Popen(
        [sys.executable, "-m", elsewhere.__name__],
        env={
            **os.environ,
            "DAGSTER_HOME": str(deployment.dagster.home),
            elsewhere.URL: sql.connection.dsn,
            elsewhere.FLOW: "doomed",
            elsewhere.FOLDER: str(deployment.folder),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@begins_with(begin_a_run_that_is_killed)
def test_a_run_whose_process_was_killed_fails_with_a_timeout(
    deployment: Deployment, begun: "subprocess.Popen[bytes]"
) -> None:
    sql, dagster = deployment.sql, deployment.dagster
    assert begun.wait(300) == -signal.SIGKILL

    def ended() -> list[dict[str, Any]]:
        return sql.records(
            "select * from pgflow.runs where flow_slug = 'doomed' and status <> 'started'"
        )

    [run] = poll(ended, every=0.2)
    assert run["status"] == "failed"
    assert run["error_message"].startswith("Timed out: nothing has happened in the run since ")
    assert run["error_message"].endswith(", and nobody can say whether its process lives.")
    assert (run["failed_at"] - run["started_at"]).total_seconds() >= LONGEST_SILENCE_S + STUCK_S
    assert dagster.run_status(run["dagster_run_id"]) == "FAILURE"
    states = "select step_slug, status from pgflow.step_states where run_id = %s order by 1"
    assert sql(states, run["run_id"]) == [("after", "cancelled"), ("killed", "cancelled")]
    over = "select pgflow.is_run_complete(%s), pgflow.get_run_counter(%s)"
    assert sql(over, run["run_id"], run["run_id"]) == [(True, 0)]
