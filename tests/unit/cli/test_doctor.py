"""doctor, on healthy and on sick installations."""

import json
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from psycopg2.extensions import make_dsn

from dagster_pgflow.cli.checks.traps import check_project_file, check_storage_url
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.version import __version__
from tests.postgres import Session
from tests.store.steps_that_wait import answer, wait, waiting_run
from tests.unit.cli.conftest import Cli


def states(cli: Cli, *arguments: str) -> dict[str, str]:
    return {check["name"]: check["state"] for check in json.loads(cli(*arguments, "--json").stdout)}


def test_a_healthy_database_is_ok(cli: Cli) -> None:
    cli("load", "--examples")
    result = cli("doctor", "--handlers", "dagster_pgflow.examples.handlers")
    assert result.exit_code == 0
    assert "4 stored, all sound" in result.stdout
    assert "none is missing" in result.stdout


def test_a_database_that_is_not_there_fails_and_says_so(offline_cli: Cli) -> None:
    result = offline_cli("doctor")
    assert result.exit_code == 1
    assert "No PostgreSQL answers at 127.0.0.1:1/none" in result.stdout


def test_a_password_is_never_shown(offline_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGFLOW_DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/none")
    assert "secret" not in offline_cli("doctor").stdout


def test_a_missing_schema_fails(
    cli: Cli, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGFLOW_DATABASE_URL", empty_database_url)
    assert states(cli, "doctor")["Schema"] == "failed"


def test_a_user_without_rights_fails(
    cli: Cli, sql: Session, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"weak_{uuid4().hex}"
    sql(f"create role {role}; grant usage on schema pgflow to {role}")
    sql(f"grant select on all tables in schema pgflow to {role}")
    try:
        monkeypatch.setenv("PGFLOW_DATABASE_URL", make_dsn(database_url, options=f"-c role={role}"))
        result = cli("doctor")
        assert result.exit_code == 1
        assert "delete on pgflow.applied_keys" in result.stdout
    finally:
        sql(f"drop owned by {role}; drop role {role}")


def test_a_flow_that_is_most_likely_not_meant_so_is_something_to_look_at(cli: Cli) -> None:
    cli("load", "--examples")
    assert "Definitions" not in states(cli, "doctor")
    cli("sql", "select pgflow.add_step('order', 'extra', when_unmet => 'fail')")
    assert states(cli, "doctor")["Definitions"] == "warning"
    assert "order: steps.extra.when_unmet: " in cli("doctor").stdout


def test_what_somebody_should_look_at_is_no_problem_unless_strictly(cli: Cli) -> None:
    cli("load", "--examples")
    assert cli("doctor", "--strict").exit_code == 0
    cli("sql", "select pgflow.add_step('order', 'extra', when_unmet => 'fail')")
    assert (cli("doctor").exit_code, cli("doctor", "--strict").exit_code) == (0, 1)


def test_steps_without_a_handler_are_named(cli: Cli) -> None:
    cli("load", "--examples")
    cli("sql", "select pgflow.add_step('order', 'extra')")
    cli("sql", "select pgflow.add_step('order', 'other', handler => 'order.mystery')")
    result = cli("doctor", "--handlers", "dagster_pgflow.examples.handlers")
    assert result.exit_code == 1
    listed = result.stdout.partition("Not registered: ")[2].splitlines()[:2]
    assert [line.strip() for line in listed] == ["order.extra", "order.other (order.mystery)"]


def test_an_expression_that_is_none_is_named(cli: Cli) -> None:
    cli("load", "--examples")
    cli("sql", "select pgflow.add_step('order', 'extra', run_if => 'inptu.n > 1')")
    result = cli("doctor")
    assert (result.exit_code, states(cli, "doctor")["Flows"]) == (1, "failed")
    assert 'there is no "inptu"' in " ".join(result.stdout.split())


def test_a_handler_module_that_cannot_be_imported_fails(cli: Cli) -> None:
    cli("load", "--examples")
    assert states(cli, "doctor", "--handlers", "no_such_module")["Handlers"] == "failed"


def test_live_workers_are_named_and_those_of_another_version_are_something_to_look_at(
    cli: Cli, sql: Session
) -> None:
    assert states(cli, "doctor")["Live workers"] == "skipped"
    enter = """
        insert into pgflow.live_workers
          (worker_id, code_location, host, process_id, concurrency, version)
        values (gen_random_uuid(), 'flows', 'here', 1, 4, %s)"""
    sql(enter, __version__)
    result = cli("doctor")
    assert "1 worker for 4 runs at once of flows" in result.stdout
    assert "this is version" not in result.stdout
    sql(enter, "0.0.9")
    assert "some of them are of 0.0.9: start what is older again." in cli("doctor").stdout
    sql("update pgflow.live_workers set seen_at = now() - interval '1 minute'")
    assert states(cli, "doctor")["Live workers"] == "skipped"


def test_an_old_request_is_something_to_look_at(cli: Cli, sql: Session) -> None:
    cli("load", "--examples")
    cli("start", "ai_workflow")
    assert states(cli, "doctor")["Requests"] == "ok"
    sql("update pgflow.run_requests set created_at = now() - interval '1 hour'")
    result = cli("doctor")
    assert result.exit_code == 1
    assert "1 waiting, the oldest for 1 h" in result.stdout
    assert "no sensor has seen" in result.stdout
    assert "whether the code location loads" in result.stdout


def test_a_projection_that_stands_still_is_something_to_look_at(cli: Cli, sql: Session) -> None:
    cli("load", "--examples")
    cli("start", "ai_workflow")
    sql("insert into pgflow.projection_cursors values ('runs', '{}', now() - interval '1 day')")
    assert states(cli, "doctor")["Run tables"] == "warning"


def test_a_daemon_that_never_ran_serves_no_request(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    found = states(cli, "doctor")
    assert (found["Dagster storage"], found["Dagster daemon"]) == ("ok", "failed")


def test_a_dagster_home_that_cannot_be_used_fails(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_text("storage:\n  nonsense: 1\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert states(cli, "doctor")["Dagster storage"] == "failed"


@pytest.mark.parametrize(
    ("storage", "is_trap"),
    [
        ("postgres: {postgres_url: 'postgresql://u@h/d'}", True),
        ("postgres: {postgres_url: 'postgresql+psycopg2://u@h/d'}", False),
        ("postgres: {postgres_url: {env: STORAGE_URL}}", True),
        ("postgres: {postgres_db: {username: u, hostname: h, db_name: d}}", True),
        ("postgres: {postgres_db: {username: u, scheme: postgresql+psycopg2}}", False),
        ("sqlite: {base_dir: /tmp}", False),
    ],
)
def test_a_storage_url_that_means_another_driver_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: str, *, is_trap: bool
) -> None:
    monkeypatch.setenv("STORAGE_URL", "postgresql://u@h/d")
    monkeypatch.setattr("dagster_pgflow.cli.checks.traps.version", lambda _: "2.1.0")
    (tmp_path / "dagster.yaml").write_text(f"storage:\n  {storage}\n")
    assert [check.state for check in check_storage_url(tmp_path)] == ["failed"] * is_trap


def test_a_project_block_that_overrides_the_workspace_is_found(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.dagster]\nmodule_name = 'x'\n")
    assert list(check_project_file(tmp_path)) == []
    (tmp_path / "workspace.yaml").write_text("load_from: []\n")
    [check] = check_project_file(tmp_path)
    assert "[tool.dagster]" in check.says


def test_rebuild_makes_the_tables_anew(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "DAGSTER_HOME is not set" in cli("rebuild").stderr
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.get():
        assert "Rebuilt 0 runs" in cli("rebuild").stdout


def test_what_waits_for_room_is_not_taken_for_a_sensor_that_is_off(
    cli: Cli, builder: FlowBuilder, requests: Requests, sql: Session
) -> None:
    builder.define_flow(Flow("limited", max_concurrent_runs=1).step("a"))
    first, _ = requests.start("limited"), requests.start("limited")
    requests.hand_over([first])
    sql("update pgflow.runs set dagster_run_id = gen_random_uuid() where run_id = %s", str(first))
    sql("update pgflow.run_requests set created_at = now() - interval '1 day'")
    said = cli("doctor").stdout
    assert "1 waiting, since their flows have as many runs as may be at once" in said
    assert "no sensor has seen" not in said


def test_runs_that_wait_are_counted_and_one_that_nobody_goes_on_with_is_bad(
    cli: Cli, sql: Session
) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id)
    sql("update pgflow.runs set updated_at = now() - interval '3 days'")
    assert "1 run waiting, the oldest for 3 d;" in cli("doctor").stdout
    answer(sql, run_id)
    assert "ok   Waiting runs" in cli("doctor").stdout
    sql("update pgflow.waits set closed_at = now() - interval '2 minutes'")
    result = cli("doctor")
    assert result.exit_code == 1
    assert "BAD  Waiting runs" in result.stdout
    assert "what 1 of them waited for has come more than 60 seconds ago" in result.stdout


def test_a_run_that_cannot_go_on_says_why(cli: Cli, sql: Session) -> None:
    run_id = waiting_run(sql)
    sql(
        "insert into pgflow.run_continuations (run_id, number, kind, problem, not_before)"
        " values (%s, 1, 'resume', 'No handler is called pay.', now() + interval '1 hour')",
        run_id,
    )
    result = cli("doctor")
    assert "look Waiting runs" in result.stdout
    assert "1 of them cannot go on" in result.stdout
    assert "No handler is called pay." in result.stdout
