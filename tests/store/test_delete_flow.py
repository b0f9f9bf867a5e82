import psycopg2
import psycopg2.errors
import pytest

from tests.postgres import Session


def run_of(sql: Session, flow: str) -> str:
    run_id = sql.value("select run_id from pgflow.start_flow(%s)", flow)
    return str(run_id)


def test_a_flow_is_deleted_with_what_belongs_to_it(sql: Session) -> None:
    sql("select pgflow.create_flow('f'), pgflow.add_step('f', 'a')")
    sql("select pgflow.add_step('f', 'b', '{a}')")
    assert sql.value("select flow_slug from pgflow.delete_flow('f')") == "f"
    for table in ("flows", "steps", "deps"):
        assert sql(f"select * from pgflow.{table}") == []
    assert (
        sql.value("select definition from pgflow.flow_versions order by version_id desc limit 1")
        is None
    )


def test_an_unknown_flow_is_refused(sql: Session) -> None:
    with pytest.raises(psycopg2.Error, match='Flow "nope" does not exist'):
        sql("select pgflow.delete_flow('nope')")


def test_a_flow_that_others_contain_is_kept_unless_forced(sql: Session) -> None:
    sql("select pgflow.create_flow('child'), pgflow.create_flow('f'), pgflow.create_flow('g')")
    for flow in ("f", "g"):
        for step in ("a", "b"):
            sql(
                "select pgflow.add_step(%s, %s, step_type => 'subflow', subflow_slug => 'child')",
                flow,
                step,
            )
    with pytest.raises(psycopg2.Error, match='"child" is a subflow of "f", "g"; remove'):
        sql("select pgflow.delete_flow('child')")
    sql("select pgflow.delete_flow('child', force => true)")
    assert sql.column("select flow_slug from pgflow.flows order by 1") == ["f", "g"]


def test_a_flow_with_runs_under_way_is_kept_unless_forced(sql: Session) -> None:
    sql("select pgflow.create_flow('f')")
    waiting, begun, over = (run_of(sql, "f") for _ in range(3))
    sql(
        "update pgflow.runs set status = 'started', dagster_run_id = gen_random_uuid()"
        " where run_id = %s",
        begun,
    )
    sql("update pgflow.runs set status = 'completed' where run_id = %s", over)
    with pytest.raises(psycopg2.errors.ObjectInUse, match='"f" has 2 runs under way; wait'):
        sql("select pgflow.delete_flow('f')")

    sql("select pgflow.delete_flow('f', true)")
    assert dict(sql("select run_id::text, status from pgflow.runs")) == {
        waiting: "failed",
        begun: "started",
        over: "completed",
    }
    reason = 'Flow "f" was deleted before this run began.'
    assert sql("select error_message from pgflow.runs where status = 'failed'") == [(reason,)]
    assert sql(
        "select run_id::text, refused_reason from pgflow.run_requests where refused_at is not null"
    ) == [(waiting, reason)]


def test_a_flow_whose_runs_are_over_is_deleted_and_its_runs_stay(sql: Session) -> None:
    sql("select pgflow.create_flow('f')")
    run_of(sql, "f")
    sql("update pgflow.runs set status = 'completed'")
    sql("select pgflow.delete_flow('f')")
    assert sql("select flow_slug, status from pgflow.runs") == [("f", "completed")]


def end_with_traces(sql: Session, run_id: str) -> None:
    """End a run that has a row in every table."""
    sql(f"""
        update pgflow.runs set status = 'completed', dagster_run_id = run_id
        where run_id = '{run_id}';
        insert into pgflow.subruns (
          parent_run_id, parent_step_slug, subflow_slug, run_index, subrun_index, subrun_path,
          status
        )
        select id, 's', 'x', 1, 1, '1', 'created' from pgflow.runs where run_id = '{run_id}';
        insert into pgflow.step_states (
          run_id, step_path, step_slug, flow_slug, step_type, status, remaining_deps, created_at
        )
        values ('{run_id}', 'a', 'a', 'f', 'single', 'created', 0, now());
        insert into pgflow.step_tasks (
          run_id, step_path, task_index, step_slug, flow_slug, status, attempts_count, queued_at
        )
        values ('{run_id}', 'a', 0, 'a', 'f', 'queued', 0, now());
        insert into pgflow.node_executions (run_id, step_path, attempt, step_slug, flow_slug)
        values ('{run_id}', 'a', 1, 'a', 'f');
        insert into pgflow.event_log (event_id, run_id, sequence_num, event_type, timestamp)
        values (gen_random_uuid(), '{run_id}', 1, 'run.started', now());
        insert into pgflow.applied_keys values ('{run_id}', 'emit:>a#0', 1, now(), 1);
        insert into pgflow.run_counter_snapshots values ('{run_id}', 1, 1, now());
        insert into pgflow.pending_tokens values ('{run_id}', 'b', 'a', now());
        insert into pgflow.loop_state (run_id, loop_path, current_iteration, status, started_at)
        values ('{run_id}', 'l', 1, 'started', now());
        insert into pgflow.run_statistics values ('{run_id}', 1, 0, 0, 0, 0, 0, 0, 1, 0, 0);
        insert into pgflow.worker_registry values ('{run_id}', 'h:1', 'h', 1, now(), now(), 0);
        with event as (
          insert into pgflow.trigger_events (type, source, run_id, happened_at)
          values ('run.completed', '{run_id}', '{run_id}', now())
          returning event_id
        )
        insert into pgflow.trigger_outcomes (trigger_id, event_id, trigger_name, outcome, run_id)
        select 1, event_id, 't', 'fired', '{run_id}' from event;
        insert into pgflow.waits (run_id, step_path, kind, flow_slug, step_slug)
        values ('{run_id}', 'w', 'approval', 'f', 'w');
        insert into pgflow.run_continuations (run_id, number, kind)
        values ('{run_id}', 1, 'resume');
        insert into pgflow.webhook_deliveries
          (run_id, flow_slug, event, happened_at, url, secret_name, body, status)
        values ('{run_id}', 'f', 'run.failed', now(), 'https://example.org', 's', '', 'delivered');
        insert into pgflow.step_outputs (dagster_run_id, step_key, output_name, value, size_bytes)
        values ('{run_id}', 'a', 'result', '1', 1);
        insert into pgflow.run_cursors (dagster_run_id, found_at) values ('{run_id}', now());
    """)


def left(sql: Session) -> dict[str, list[str]]:
    """Return whose rows each table has that has rows of runs."""
    tables = sql.column("""
        select distinct table_name from information_schema.columns
        join information_schema.tables using (table_schema, table_name)
        where table_schema = 'pgflow' and table_type = 'BASE TABLE' and column_name = 'run_id'
    """)
    rows = {
        table: sql.column(f"select run_id::text from pgflow.{table} order by 1") for table in tables
    }
    rows["step_outputs"] = sql.column("select dagster_run_id::text from pgflow.step_outputs")
    rows["subruns"] = sql.column(
        "select run_id::text from pgflow.subruns join pgflow.runs on runs.id = parent_run_id"
    )
    return rows


def test_the_runs_of_a_flow_are_deleted_with_it_when_told_to(sql: Session) -> None:
    sql("select pgflow.create_flow('f'), pgflow.create_flow('other')")
    doomed, kept = run_of(sql, "f"), run_of(sql, "other")
    end_with_traces(sql, doomed)
    end_with_traces(sql, kept)
    before = left(sql)
    assert {tuple(sorted(runs)) for runs in before.values()} == {tuple(sorted([doomed, kept]))}
    assert before.keys() >= {"applied_keys", "loop_state", "run_statistics", "event_log"}
    sql("select pgflow.delete_flow('f', with_runs => true)")
    assert left(sql) == {table: [kept] for table in before}


def test_a_deleted_run_is_not_found_anew(sql: Session) -> None:
    sql("select pgflow.create_flow('f')")
    run_id = run_of(sql, "f")
    end_with_traces(sql, run_id)
    sql("select pgflow.delete_flow('f', with_runs => true)")
    assert sql("select dagster_run_id::text, is_final, looks from pgflow.run_cursors") == [
        (run_id, True, 1)
    ]


def test_runs_under_way_are_never_deleted(sql: Session) -> None:
    sql("select pgflow.create_flow('f')")
    waiting, begun = run_of(sql, "f"), run_of(sql, "f")
    sql(
        "update pgflow.runs set status = 'started', dagster_run_id = gen_random_uuid()"
        " where run_id = %s",
        begun,
    )
    with pytest.raises(psycopg2.errors.ObjectInUse):
        sql("select pgflow.delete_flow('f', with_runs => true)")
    assert len(left(sql)["runs"]) == 2
    sql("select pgflow.delete_flow('f', force => true, with_runs => true)")
    assert sql("select run_id::text, status from pgflow.runs") == [(begun, "started")]
    assert waiting not in sql.column("select run_id::text from pgflow.run_requests")
