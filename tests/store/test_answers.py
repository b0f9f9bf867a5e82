"""Steps that wait for a person: who may answer what, until when, and whose answer counts."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import psycopg2
import pytest

from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.resources import StoreOfSteps
from dagster_pgflow.runtime.waits import WaitAsked
from dagster_pgflow.step_errors import ValueNotJson
from dagster_pgflow.step_path import StepPath
from dagster_pgflow.store.answers import Answers
from dagster_pgflow.store.database import Database
from tests.postgres import Session
from tests.store.steps_that_wait import answer, let_pass, signal, status, wait, waiting_run

OPEN = "select step_path from pgflow.v_open_waits order by waiting_since, step_path"


def test_a_step_that_asks_again_waits_as_it_did(sql: Session) -> None:
    run_id = waiting_run(sql)
    first = wait(sql, run_id, prompt="May I?", seconds=60)
    assert (first["status"], first["taken_at"], first["due_at"] is None) == ("open", None, False)
    assert wait(sql, run_id, prompt="Other?", seconds=5) == first


def test_an_answer_ends_a_wait_and_its_step_takes_note_of_it(sql: Session) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id)
    answered = answer(sql, run_id, value={"ok": True}, answered_by="ann")
    assert (answered["status"], answered["answer"]) == ("answered", {"ok": True})
    assert (answered["answered_by"], answered["taken_at"]) == ("ann", None)
    taken = wait(sql, run_id)
    assert taken == {**answered, "taken_at": taken["taken_at"]}
    assert taken["taken_at"] is not None
    assert wait(sql, run_id) == taken


def test_a_wait_is_told_of_by_a_notification_when_it_is_over(
    sql: Session, new_session: Callable[[], Session]
) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id)
    listener = new_session()
    listener("listen pgflow_runs")
    answer(sql, run_id)
    listener("select 1")
    assert [told.payload for told in listener.connection.notifies] == [run_id]


@pytest.mark.parametrize(
    ("value", "stored"), [(None, None), ("", ""), (0, 0), ([], []), ({"a": None}, {"a": None})]
)
def test_any_json_is_an_answer_and_null_is_one(sql: Session, value: Any, stored: Any) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id)
    assert answer(sql, run_id, value=value)["answer"] == stored
    assert sql.value("select answer is not null from pgflow.waits")


def test_sql_null_is_json_null(sql: Session) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id)
    sql("select pgflow.answer(%s, 'ask', null)", run_id)
    assert sql("select answer::text, status from pgflow.waits") == [("null", "answered")]


def test_who_answers_second_is_told_who_was_first_and_when(sql: Session) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id)
    answer(sql, run_id, answered_by="ann")
    with pytest.raises(
        psycopg2.Error,
        match=rf'Step "ask" of run {run_id} was answered before, by ann at \d{{4}}-\d\d-\d\d'
        r" \d\d:\d\d:\d\d UTC, and the first answer counts\.",
    ):
        answer(sql, run_id, value=False, answered_by="bob")
    assert sql("select answer, answered_by from pgflow.waits") == [(True, "ann")]


def test_without_a_name_the_role_of_the_session_answers(sql: Session) -> None:
    run_id = waiting_run(sql)
    for path, name in (("a", None), ("b", "")):
        wait(sql, run_id, path)
        assert answer(sql, run_id, path, answered_by=name)["answered_by"] == sql.value(
            "select session_user::text"
        )


def test_what_cannot_be_answered_says_why(sql: Session) -> None:
    run_id, other = waiting_run(sql), waiting_run(sql)
    wait(sql, run_id)
    wait(sql, run_id, "nap", "sleep", seconds=3600)
    wait(sql, other, "other")
    nobody = str(uuid4())
    for asked, sentence in (
        ((nobody, "ask"), f"There is no run {nobody}."),
        ((None, "ask"), "There is no run without an id."),
        (
            (run_id, "other"),
            f'Step "other" of run {run_id} does not wait for an answer; what does: "ask".',
        ),
        ((run_id, "nap"), f'Step "nap" of run {run_id} sleeps until '),
        ((run_id, ""), f'Step "" of run {run_id} does not wait for an answer'),
        ((run_id, "x" * 10_000), f'Step "{"x" * 500}" of run {run_id} does not wait'),
    ):
        with pytest.raises(psycopg2.Error) as refused:
            answer(sql, *asked)
        assert refused.value.diag.message_primary.startswith(sentence)


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_the_end_of_a_run_ends_its_waits(sql: Session, end: str) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id)
    wait(sql, run_id, "late")
    answer(sql, run_id, "late")
    sql("update pgflow.runs set status = %s", end)
    assert (status(sql, run_id), status(sql, run_id, "late")) == ("cancelled", "answered")
    assert sql.value("select count(*) from pgflow.waits where taken_at is null") == 0
    with pytest.raises(psycopg2.Error, match=f"takes no answer any more: the run is {end}"):
        answer(sql, run_id)
    # What runs on although its run is over does not wait any more either.
    assert wait(sql, run_id, "zombie")["status"] == "cancelled"


def test_after_the_deadline_nobody_answers_and_the_step_learns_of_it(sql: Session) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id, seconds=60)
    assert sql.column(OPEN) == ["ask"]
    let_pass(sql, run_id)
    assert sql.column(OPEN) == []
    with pytest.raises(psycopg2.Error, match=r"could be answered until .* UTC, and that is over"):
        answer(sql, run_id)
    over = wait(sql, run_id)
    assert (over["status"], over["answer"], over["taken_at"] is None) == ("timed_out", None, False)
    with pytest.raises(psycopg2.Error, match="could be answered until"):
        answer(sql, run_id)


def test_an_answer_before_the_deadline_counts_after_it(sql: Session) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id, seconds=60)
    answer(sql, run_id)
    let_pass(sql, run_id)
    assert wait(sql, run_id)["status"] == "answered"


def test_a_sleep_is_over_when_its_time_has_come(sql: Session) -> None:
    run_id = waiting_run(sql)
    assert wait(sql, run_id, kind="sleep", seconds=60)["status"] == "open"
    assert sql.column(OPEN) == []
    let_pass(sql, run_id)
    assert wait(sql, run_id)["status"] == "answered"
    assert wait(sql, run_id, "past", "sleep", until=0)["status"] == "answered"


@pytest.mark.parametrize("until", [1e300, float("inf"), float("nan")])
def test_a_time_that_never_comes_is_the_end_of_the_year_9999(sql: Session, until: float) -> None:
    row = wait(sql, waiting_run(sql), kind="sleep", until=until)
    assert (row["status"], row["due_at"][:10]) == ("open", "9999-12-31")


def test_an_answer_is_held_to_the_schema_of_the_step(sql: Session) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id, answer_schema={"type": "object", "required": ["ok"]})
    with pytest.raises(psycopg2.Error, match=r'"ask" of run .* does not take this answer: answer'):
        answer(sql, run_id, value=True)
    assert status(sql, run_id) == "open"
    assert answer(sql, run_id, value={"ok": True})["status"] == "answered"


def test_what_sql_does_not_know_of_a_schema_python_does(sql: Session, database: Database) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id, answer_schema={"type": "string", "pattern": "^[a-z]+$"})
    answers = Answers(database)
    with pytest.raises(StoreRefused, match="does not take this answer: answer: 'X' does not match"):
        answers.answer(UUID(run_id), "ask", "X")
    assert status(sql, run_id) == "open"
    assert answers.answer(UUID(run_id), "ask", "x", answered_by="ann").answered_by == "ann"


@pytest.mark.parametrize(
    "more", [{"answered_by": "ann"}, {"answered_by": "bob", "acting_as": "finance"}, {}]
)
def test_who_is_among_the_answerers_may_answer(sql: Session, more: dict[str, str]) -> None:
    user = sql.value("select session_user::text")
    run_id = waiting_run(sql)
    wait(sql, run_id, answerers=["ann", "finance", user if not more else "nobody else"])
    assert answer(sql, run_id, **more)["status"] == "answered"


def test_who_is_none_of_the_answerers_is_refused(sql: Session) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id, answerers=["ann", "finance"])
    # A superuser is in every role, but in no role that there is not.
    for more, who in (
        ({"answered_by": "bob"}, "bob"),
        ({"answered_by": "bob", "acting_as": "sales"}, "sales"),
        ({"answered_by": "Ann"}, "Ann"),
        ({"answered_by": "' or true --"}, "' or true --"),
    ):
        with pytest.raises(
            psycopg2.Error, match=f'may be answered by ann, finance, and "{who}" is none of them'
        ):
            answer(sql, run_id, **more)
    assert status(sql, run_id) == "open"


def test_a_name_has_at_most_200_characters(sql: Session) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id)
    with pytest.raises(psycopg2.Error, match="has 10000 characters; it has at most 200"):
        answer(sql, run_id, answered_by="x" * 10_000)


def test_an_answer_has_the_limits_of_all_json(sql: Session, database: Database) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id)
    deep = json.loads("[" * 101 + "]" * 101)
    with pytest.raises(psycopg2.Error, match='answer to step "ask" is refused: it is nested more'):
        answer(sql, run_id, value=deep)
    for bad in (deep, {1, 2}, float("nan")):
        with pytest.raises(ValueNotJson):
            Answers(database).answer(UUID(run_id), "ask", bad)
    for text in ("a\x00b", "\ud800"):
        with pytest.raises((StoreRefused, ValueNotJson)):
            Answers(database).answer(UUID(run_id), "ask", text)
        with pytest.raises(StoreRefused, match="NUL"):
            Answers(database).answer(UUID(run_id), text, 1)
        with pytest.raises(StoreRefused, match="NUL"):
            Answers(database).answer(UUID(run_id), "ask", 1, answered_by=text)
    assert status(sql, run_id) == "open"
    assert answer(sql, run_id, value="y" * 5_000_000)["status"] == "answered"


def test_of_many_that_answer_at_once_one_is_first_and_all_others_are_told(
    sql: Session, database: Database
) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id)
    answers = Answers(database)

    def attempt(who: int) -> str:
        try:
            return answers.answer(UUID(run_id), "ask", who, answered_by=f"p{who}").answered_by
        except StoreRefused as refused:
            return str(refused)

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(attempt, range(8)))
    [winner] = [one for one in told if one.startswith("p")]
    assert sum(f"answered before, by {winner} at" in one for one in told) == 7
    assert sql("select answered_by, answer from pgflow.waits") == [(winner, int(winner[1:]))]


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_in_a_transaction_that_sees_the_past_the_first_answer_counts_too(
    sql: Session, new_session: Callable[[], Session], isolation: str
) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id)
    late = new_session()
    late(f"begin isolation level {isolation}")
    late("select 1 from pgflow.waits")
    answer(sql, run_id, answered_by="ann")
    with pytest.raises(psycopg2.errors.SerializationFailure):
        answer(late, run_id, value=False, answered_by="bob")
    late("rollback")
    assert sql("select answer, answered_by from pgflow.waits") == [(True, "ann")]


def test_a_step_asks_through_the_resource(database: Database, sql: Session) -> None:
    resource, run_id = StoreOfSteps(database), uuid4()
    asked = WaitAsked(
        run_id=str(run_id),
        path=StepPath("order[3].approve"),
        flow_slug="order",
        kind="approval",
        prompt="Pay 5 €?",
        answer_schema={"type": "object"},
        answerers=("ann",),
        seconds=60,
        reminders=(0, 30),
    )
    state = resource.wait_for(asked)
    assert (state.status, state.closed_at, state.answer) == ("open", None, None)
    assert state.due_at is not None
    assert state.due_at - state.opened_at == pytest.approx(60)
    [open_wait] = Answers(database).open()
    assert (open_wait.step_path, open_wait.prompt) == ("order[3].approve", "Pay 5 €?")
    assert open_wait.answer_schema == {"type": "object"}
    assert sql.value("select reminders_due from pgflow.v_open_waits") == 1
    given = {"ok": True, "dagster-pgflow/waiting": 1}
    resource.answer(run_id, "order[3].approve", given, answered_by="ann")
    state = resource.wait_for(asked)
    assert (state.status, state.answer, state.answered_by) == ("answered", given, "ann")
    assert state.closed_at is not None
    assert state.closed_at.endswith("Z")


def test_open_waits_are_those_of_a_flow_or_a_run(database: Database, sql: Session) -> None:
    first, second = waiting_run(sql), waiting_run(sql, flow="g")
    wait(sql, first)
    wait(sql, second, "w", "wait", signal="s")
    answers = Answers(database)
    assert [one.step_path for one in answers.open()] == ["ask", "w"]
    assert [str(one.run_id) for one in answers.open("g")] == [second]
    assert [one.step_path for one in answers.open(run_id=UUID(first))] == ["ask"]
    assert len(answers.open(limit=1)) == 1
    assert signal(sql, "s", f"{second}/w") == 1
    assert [one.step_path for one in answers.open()] == ["ask"]


def test_nobody_reads_all_waits_to_find_one(sql: Session) -> None:
    run_id = waiting_run(sql)
    sql(
        "insert into pgflow.waits"
        " (run_id, step_path, kind, flow_slug, step_slug, signal, key, due_at)"
        " select gen_random_uuid(), 's', 'wait', 'f', 's', 'paid', n::text, now() + '1 day'"
        " from generate_series(1, 20000) as n"
    )
    sql("analyze pgflow.waits")
    wait(sql, run_id, "w", "wait", signal="paid", key="mine", seconds=60)

    def rows_read() -> int:
        sql("select pg_stat_force_next_flush()")
        read: int = sql.value(
            "select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)"
            " from pg_stat_user_tables where relname = 'waits'"
        )
        return read

    for work in (
        lambda: signal(sql, "paid", "mine"),
        lambda: sql("select * from pgflow.claim_continuation()"),
        lambda: wait(sql, run_id, "w"),
    ):
        before = rows_read()
        work()
        assert rows_read() - before < 100
