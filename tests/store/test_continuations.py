"""Which runs go on, who has them go on, and that each does it once for each reason."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import psycopg2
import pytest

from dagster_pgflow.names import continuation_id
from dagster_pgflow.store.continuations import Continuation, Continuations
from dagster_pgflow.store.database import Database
from tests.postgres import Session
from tests.store.steps_that_wait import answer, let_pass, status, wait, waiting_run

CLAIM = "select run_id::text, number, kind, flow_slug, dagster_run_id::text from"


def claims(sql: Session, lease: str = "1 minute") -> list[tuple[str, int, str]]:
    rows = sql(f"{CLAIM} pgflow.claim_continuation(%s)", lease)
    return [row[:3] for row in rows]


def test_a_run_goes_on_when_something_has_come(sql: Session) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id)
    wait(sql, run_id, "other")
    assert claims(sql) == []
    answer(sql, run_id)
    assert sql(f"{CLAIM} pgflow.claim_continuation()") == [(run_id, 1, "resume", "f", run_id)]
    assert claims(sql) == []


def test_a_run_that_is_not_waiting_yet_goes_on_later(
    sql: Session, new_session: Callable[[], Session]
) -> None:
    run_id = waiting_run(sql, "started")
    wait(sql, run_id)
    answer(sql, run_id)
    assert claims(sql) == []
    listener = new_session()
    listener("listen pgflow_runs; listen pgflow_runs_ended")
    sql("update pgflow.runs set status = 'waiting'")
    listener("select 1")
    told = {(one.channel, one.payload) for one in listener.connection.notifies}
    assert told == {("pgflow_runs", run_id)}
    assert claims(sql) == [(run_id, 1, "resume")]


@pytest.mark.parametrize("kind", ["approval", "sleep"])
def test_a_run_goes_on_when_a_time_has_come(sql: Session, kind: str) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id, kind=kind, seconds=60)
    assert claims(sql) == []
    let_pass(sql, run_id)
    assert claims(sql) == [(run_id, 1, "resume")]


def test_the_next_one_goes_on_with_the_one_before(sql: Session, database: Database) -> None:
    run_id = waiting_run(sql)
    continuations = Continuations(database)
    for number, path in enumerate(("a", "b"), 1):
        wait(sql, run_id, path)
        answer(sql, run_id, path)
        with database.transaction() as transaction:
            before = continuation_id(UUID(run_id), number - 1) if number > 1 else UUID(run_id)
            claimed = continuations.next(transaction)
            assert claimed == Continuation(UUID(run_id), number, "resume", "f", before)
        wait(sql, run_id, path)
        assert claims(sql, "0") == [(run_id, number, "resume")]
        with database.transaction() as transaction:
            assert continuations.end(transaction, UUID(run_id), number)
            assert not continuations.end(transaction, UUID(run_id), number)
        assert claims(sql) == []
    assert sql.column("select dagster_run_id::text from pgflow.run_continuations") == [
        str(continuation_id(UUID(run_id), number)) for number in (1, 2)
    ]


def test_a_claim_that_is_rolled_back_was_none(
    sql: Session, new_session: Callable[[], Session]
) -> None:
    run_id, killed = waiting_run(sql), new_session()
    wait(sql, run_id)
    answer(sql, run_id)
    killed("begin")
    assert claims(killed) == [(run_id, 1, "resume")]
    assert claims(sql) == []
    killed.connection.close()
    assert claims(sql) == [(run_id, 1, "resume")]


def test_a_claim_whose_run_never_began_is_taken_again_after_the_lease(sql: Session) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id)
    answer(sql, run_id)
    assert claims(sql) == [(run_id, 1, "resume")]
    assert claims(sql) == []
    sql("update pgflow.run_continuations set claimed_at = claimed_at - interval '2 minutes'")
    assert claims(sql) == [(run_id, 1, "resume")]
    assert claims(sql) == []
    # One that has begun is left alone, and so is the run until it is over.
    sql("update pgflow.runs set status = 'started'")
    assert claims(sql, "0") == []
    wait(sql, run_id)
    wait(sql, run_id, "b")
    answer(sql, run_id, "b")
    sql("update pgflow.runs set status = 'waiting'")
    sql("select pgflow.end_continuation(%s, 1)", run_id)
    assert claims(sql) == [(run_id, 2, "resume")]


def test_of_many_claimers_each_gets_another_run(sql: Session, database: Database) -> None:
    runs = [waiting_run(sql) for _ in range(10)]
    for run_id in runs:
        wait(sql, run_id)
        answer(sql, run_id)
    continuations = Continuations(database)

    def claim(_: int) -> UUID | None:
        with database.transaction() as transaction:
            claimed = continuations.next(transaction)
            return None if claimed is None else claimed.run_id

    with ThreadPoolExecutor(6) as pool:
        claimed = [str(one) for one in pool.map(claim, range(20)) if one is not None]
    claimed += [run_id for run_id, _, _ in claims(sql)]
    assert sorted(claimed) == sorted(runs)


def test_those_that_can_go_on_longest_come_first(sql: Session) -> None:
    first, second = waiting_run(sql), waiting_run(sql)
    wait(sql, second)
    wait(sql, first)
    answer(sql, first)
    answer(sql, second)
    assert [run_id for run_id, _, _ in claims(sql) + claims(sql)] == [first, second]


def test_a_waiting_run_is_cancelled_by_going_on_to_its_end(
    sql: Session, database: Database
) -> None:
    run_id = waiting_run(sql)
    for path in ("a", "b"):
        wait(sql, run_id, path)
    answer(sql, run_id, "a")
    continuations = Continuations(database)
    assert continuations.cancel(UUID(run_id))
    assert continuations.cancel(UUID(run_id))
    assert (status(sql, run_id, "a"), status(sql, run_id, "b")) == ("answered", "cancelled")
    with pytest.raises(psycopg2.Error, match="takes no answer any more: the run is cancelled"):
        answer(sql, run_id, "b")
    assert claims(sql) == [(run_id, 1, "cancel")]


def test_a_run_that_goes_on_is_not_cancelled_as_one_that_waits(sql: Session) -> None:
    cancel = "select pgflow.cancel_waiting_run(%s)"
    going_on, started = waiting_run(sql), waiting_run(sql, "started")
    wait(sql, going_on)
    answer(sql, going_on)
    claims(sql)
    assert not sql.value(cancel, going_on)
    assert not sql.value(cancel, started)
    for nobody in (str(uuid4()), None):
        with pytest.raises(psycopg2.Error, match="There is no run"):
            sql(cancel, nobody)


def test_a_run_that_waits_frees_its_place(sql: Session) -> None:
    sql("select pgflow.create_flow('f', max_concurrent_runs => 1)")
    first, second = (sql.value("select run_id::text from pgflow.start_flow('f')") for _ in "ab")
    taken = "select run_id::text from pgflow.claim_request()"
    assert sql(taken) == [(first,)]
    assert sql(taken) == []
    sql("update pgflow.runs set status = 'waiting' where run_id = %s", first)
    assert sql(taken) == [(second,)]


def test_a_flow_with_a_run_that_waits_is_not_deleted(sql: Session) -> None:
    sql("select pgflow.create_flow('f')")
    waiting_run(sql)
    with pytest.raises(psycopg2.errors.ObjectInUse, match='"f" has 1 run under way'):
        sql("select pgflow.delete_flow('f')")
    assert sql.column("select status from pgflow.v_active_runs") == ["waiting"]


def test_the_next_deadline_is_known(sql: Session, database: Database) -> None:
    continuations = Continuations(database)
    assert continuations.seconds_until_due() is None
    run_id = waiting_run(sql)
    wait(sql, run_id, seconds=3600)
    wait(sql, run_id, "b", seconds=60)
    soon = continuations.seconds_until_due()
    assert soon is not None
    assert 0 < soon <= 60
    let_pass(sql, run_id, "b")
    later = continuations.seconds_until_due()
    assert later is not None
    assert 60 < later <= 3600
