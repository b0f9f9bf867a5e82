"""Signals: to whom they go, for how long they are kept, and that none is missed or taken twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg2
import pytest

from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.store.answers import Answers
from dagster_pgflow.store.database import Database
from tests.polling import poll
from tests.postgres import Session
from tests.store.steps_that_wait import answer, let_pass, signal, status, wait, waiting_run

BLOCKED = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"


def awaits(sql: Session, name: str = "paid", key: str | None = "k", path: str = "w") -> str:
    """Have a step of a run of its own wait for a signal, and return the run."""
    run_id = waiting_run(sql)
    wait(sql, run_id, path, "wait", signal=name, key=key)
    return run_id


def test_a_signal_is_the_answer_of_the_step_that_waits_for_it(sql: Session) -> None:
    run_id = awaits(sql)
    assert signal(sql, "paid", "k", payload={"sum": 5}) == 1
    user = sql.value("select session_user::text")
    assert sql("select status, answer, answered_by from pgflow.waits") == [
        ("answered", {"sum": 5}, user)
    ]
    assert wait(sql, run_id, "w", "wait")["answer"] == {"sum": 5}


def test_a_signal_goes_to_the_step_that_has_waited_longest_and_to_no_other(sql: Session) -> None:
    first, second = awaits(sql), awaits(sql)
    assert signal(sql, "paid", "k") == 1
    assert (status(sql, first, "w"), status(sql, second, "w")) == ("answered", "open")
    assert signal(sql, "paid", "k") == 1
    assert status(sql, second, "w") == "answered"
    assert signal(sql, "paid", "k") == 0


def test_another_name_and_another_key_are_another_signal(sql: Session) -> None:
    run_id = awaits(sql)
    for name, key in (("paid", "K"), ("Paid", "k"), ("paid", ""), ("paid", "k ")):
        assert signal(sql, name, key) == 0
    assert status(sql, run_id, "w") == "open"


def test_a_step_without_a_key_waits_under_its_run_and_path(sql: Session) -> None:
    run_id = awaits(sql, key=None, path="order[3].w")
    assert signal(sql, "paid", f"{run_id}/order[3].w") == 1
    assert status(sql, run_id, "order[3].w") == "answered"


def test_a_signal_that_comes_early_is_kept_and_taken_once(sql: Session) -> None:
    assert signal(sql, "paid", "k", payload=1) == 0
    assert signal(sql, "paid", "k", payload=2) == 0
    runs = [awaits(sql) for _ in range(3)]
    found = [sql("select status, answer from pgflow.waits where run_id = %s", run) for run in runs]
    assert found == [[("answered", 1)], [("answered", 2)], [("open", None)]]
    assert sql.column("select taken_by is not null from pgflow.signals") == [True, True]


def test_what_has_expired_is_not_taken_and_is_swept_bit_by_bit(sql: Session) -> None:
    for _ in range(3):
        signal(sql, "paid", "k")
    sql("update pgflow.signals set expires_at = now() - interval '1 s'")
    run_id = awaits(sql)
    assert status(sql, run_id, "w") == "open"
    assert sql.value("select count(*) from pgflow.signals") == 0
    sql(
        "insert into pgflow.signals (name, key, expires_at)"
        " select 'old', 'k', now() from generate_series(1, 250)"
    )
    signal(sql, "new", "k")
    assert sql.value("select count(*) from pgflow.signals where name = 'old'") == 150


def test_a_signal_for_now_is_not_kept(sql: Session) -> None:
    assert signal(sql, "paid", "k", expires_in="0") == 0
    assert status(sql, awaits(sql), "w") == "open"
    assert signal(sql, "paid", "k", expires_in="0") == 1


@pytest.mark.parametrize("key", ["k", None])
def test_a_broadcast_goes_to_all_that_wait_and_all_that_begin_to(
    sql: Session, key: str | None
) -> None:
    runs = [awaits(sql), awaits(sql), awaits(sql)]
    other = awaits(sql, key="other")
    assert signal(sql, "paid", key, broadcast=True, payload=7) == (3 if key else 4)
    runs.append(awaits(sql))
    assert [status(sql, run, "w") for run in runs] == ["answered"] * 4
    assert status(sql, other, "w") == ("open" if key else "answered")
    sql("update pgflow.signals set expires_at = now()")
    assert status(sql, awaits(sql), "w") == "open"


def test_a_signal_needs_a_key_or_goes_to_all(sql: Session) -> None:
    with pytest.raises(psycopg2.Error, match=r'"paid" needs the key .* broadcast => true\.'):
        signal(sql, "paid")


@pytest.mark.parametrize(
    ("name", "key", "more", "sentence"),
    [
        ("", "k", {}, "1 to 200 characters, and its key at most 4000; here they are 0 and 1"),
        ("x" * 10_000, "k", {}, "here they are 10000 and 1"),
        ("x", "k" * 10_000, {}, "here they are 1 and 10000"),
        ("x", "k", {"expires_in": "-1 s"}, "write 0 to 366 days"),
        ("x", "k", {"expires_in": "400 years"}, "write 0 to 366 days"),
    ],
)
def test_a_signal_that_is_none_is_refused(
    sql: Session, name: str, key: str, more: dict[str, str], sentence: str
) -> None:
    with pytest.raises(psycopg2.Error, match=sentence):
        signal(sql, name, key, **more)
    assert sql("select * from pgflow.signals") == []


def test_long_names_and_keys_are_names_and_keys(sql: Session) -> None:
    name, key = "ü" * 200, "𝄞" * 4000
    run_id = awaits(sql, name, key)
    assert signal(sql, name, key[:-1] + "x") == 0
    assert signal(sql, name, key) == 1
    assert status(sql, run_id, "w") == "answered"


def test_a_payload_that_fits_nothing_that_waits_is_refused(
    sql: Session, database: Database
) -> None:
    picky, other = waiting_run(sql), waiting_run(sql)
    wait(sql, picky, "w", "wait", signal="paid", key="k", answer_schema={"type": "object"})
    with pytest.raises(psycopg2.Error, match=r'"paid" does not fit what waits for it: step "w"'):
        signal(sql, "paid", "k", payload=1)
    assert sql("select * from pgflow.signals") == []
    with pytest.raises(StoreRefused, match="payload is number, but must be object"):
        Answers(database).signal("paid", 1, key="k")
    # It fits the next one, and of what was kept each takes what fits.
    wait(sql, other, "w", "wait", signal="paid", key="k", answer_schema={"type": "number"})
    assert signal(sql, "paid", "k", payload=1) == 1
    assert (status(sql, picky, "w"), status(sql, other, "w")) == ("open", "answered")
    sql("update pgflow.waits set status = 'cancelled', closed_at = now() where status = 'open'")
    signal(sql, "paid", "k", payload=2)
    signal(sql, "paid", "k", payload={"a": 1})
    late = waiting_run(sql)
    assert wait(sql, late, "w", "wait", signal="paid", key="k", answer_schema={"type": "object"})[
        "answer"
    ] == {"a": 1}


def test_after_the_deadline_a_signal_is_kept_for_another(sql: Session) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id, "w", "wait", signal="paid", key="k", seconds=60)
    let_pass(sql, run_id, "w")
    assert signal(sql, "paid", "k") == 0
    assert wait(sql, run_id, "w", "wait")["status"] == "timed_out"
    assert status(sql, awaits(sql), "w") == "answered"


def test_a_person_can_answer_instead_of_a_signal(sql: Session) -> None:
    run_id = awaits(sql)
    answer(sql, run_id, "w", answered_by="ann")
    assert signal(sql, "paid", "k") == 0
    assert status(sql, run_id, "w") == "answered"


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_signal_that_could_not_see_what_waits_is_matched_by_who_has_runs_go_on(
    sql: Session, new_session: Callable[[], Session], isolation: str
) -> None:
    sender = new_session()
    sender(f"begin isolation level {isolation}")
    sender("select 1 from pgflow.waits")
    run_id = awaits(sql)
    assert signal(sender, "paid", "k", payload=3) == 0
    sender("commit")
    assert status(sql, run_id, "w") == "open"
    assert sql("select run_id::text from pgflow.claim_continuation()") == [(run_id,)]
    assert wait(sql, run_id, "w", "wait")["answer"] == 3
    assert sql("select is_unmatched, taken_at is not null from pgflow.signals") == [(False, True)]


@pytest.mark.parametrize("key", ["k", None])
@pytest.mark.parametrize("is_first", ["signal", "wait"])
def test_a_signal_and_a_step_that_begin_at_once_do_not_miss_each_other(
    sql: Session, new_session: Callable[[], Session], is_first: str, key: str | None
) -> None:
    run_id, one, two = waiting_run(sql), new_session(), new_session()

    def send(session: Session) -> None:
        signal(session, "paid", key, broadcast=key is None)

    def begin(session: Session) -> None:
        wait(session, run_id, "w", "wait", signal="paid", key="k")

    first, second = (send, begin) if is_first == "signal" else (begin, send)
    one("begin")
    first(one)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(second, two)
        poll(lambda: sql.value(BLOCKED) == 1)
        one("commit")
        running.result()
    assert status(sql, run_id, "w") == "answered"


def test_many_signals_and_many_steps_at_once_pair_off(sql: Session, database: Database) -> None:
    runs = [waiting_run(sql) for _ in range(12)]
    patient = Database(str(sql.connection.dsn), max_overflow=12)
    answers = Answers(patient)

    def act(number: int) -> None:
        if number % 2:
            answers.signal("paid", number, key="k")
        else:
            database.fetch_all(
                "open_wait",
                run_id=runs[number // 2], step_path="w", step_slug="w", flow_slug="f",
                kind="wait", tenant="", prompt="", answer_schema=None, answerers=[],
                signal="paid", key="k", seconds=None, until=None, reminders=[],
                dagster_run_id=None,
            )  # fmt: skip

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(act, range(24)))
    patient.close()
    given = sql.column("select answer from pgflow.waits where status = 'answered'")
    assert sorted(given) == list(range(1, 24, 2))
    assert sql.value("select count(distinct taken_by) from pgflow.signals") == 12


def test_a_handler_sends_a_signal_with_the_resource(database: Database, sql: Session) -> None:
    run_id = awaits(sql, key=None)
    assert Answers(database).signal("paid", key=f"{UUID(run_id)}/w") == 1
    assert sql.column("select answer from pgflow.waits") == [None]
