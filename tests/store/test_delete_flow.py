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
