"""Runs that are cancelled and go on from the command line, in a Dagster with queue and daemon."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Deployment
from tests.polling import poll

Finished = Callable[..., dict[str, Any]]


def call(deployment: Deployment, *words: str) -> "subprocess.CompletedProcess[str]":
    """Calls the program as a user of the second store does."""
    dsn = deployment.parallel_sql.connection.dsn
    return subprocess.run(
        [str(Path(sys.executable).with_name("dagster-pgflow")), *words],
        env={
            **os.environ,
            "DAGSTER_HOME": str(deployment.dagster.home),
            "PGFLOW_DATABASE_URL": dsn,
        },
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_a_failed_run_goes_on_once_its_flow_is_mended(
    deployment: Deployment, finished: Finished
) -> None:
    sql = deployment.parallel_sql
    sql("select pgflow.create_flow('mended', max_attempts => 1)")
    sql("select pgflow.add_step('mended', 'first', handler => 'process_id')")
    sql("select pgflow.add_step('mended', 'last', array['first'], handler => 'nobody')")
    first = sql.value("select run_id from pgflow.start_flow('mended')")
    assert finished(sql, first)["status"] == "failed"
    output = "select output from pgflow.step_states where run_id = %s and step_slug = 'first'"

    sql("update pgflow.steps set handler = 'process_id' where step_slug = 'last'")
    result = call(deployment, "retry", str(first)[:8], "--wait", "--timeout", "120", "--json")

    assert result.returncode == 0, result.stderr
    run = json.loads(result.stdout)
    assert (run["status"], run["retry_of"], run["flow_version"]) == ("completed", str(first), 4)
    assert sql.value(output, run["run_id"]) == sql.value(output, first)
    assert f"retry of {str(first)[:8]}" in call(deployment, "status", "--flow", "mended").stdout


def test_a_run_under_way_is_cancelled_and_goes_on(
    deployment: Deployment, finished: Finished, tmp_path: Path
) -> None:
    sql, gate = deployment.parallel_sql, tmp_path / "gate"
    sql("select pgflow.create_flow('stopped')")
    sql("select pgflow.add_step('stopped', 'wait', handler => 'wait_for_file', timeout => 200)")
    start = f"""select run_id from pgflow.start_flow('stopped', '{{"file": "{gate}"}}')"""
    first = sql.value(start)
    # Dagster 1.13 may call a run failed whose step is stopped while its process is starting.
    begun = "select 1 from pgflow.step_states where run_id = %s and status = 'started'"
    poll(lambda: sql(begun, first), timeout=60)

    result = call(deployment, "cancel", str(first))
    assert result.returncode == 0, result.stderr
    assert finished(sql, first)["status"] == "cancelled"
    assert "is over: it was cancelled" in call(deployment, "cancel", str(first)).stderr

    gate.touch()
    result = call(deployment, "retry", str(first), "--wait", "--timeout", "120")
    assert result.returncode == 0, result.stderr
    assert "of flow stopped completed in" in result.stdout
