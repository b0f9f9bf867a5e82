"""An answer, a signal, a deadline and a cancellation at once: one of them counts, for everybody."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.polling import poll
from tests.postgres import Server, Session
from tests.store.steps_that_wait import answer, signal, wait, waiting_run

ACTS = ("ann", "bob", "signal", "deadline", "cancel")
Outcome = tuple[str, Any]


@pytest.fixture(scope="module")
def url(server: Server) -> Any:
    """One database for all that is drawn."""
    with server.database() as url:
        yield url


def act(session: Session, run_id: str, who: str) -> Outcome | None:
    """Do one of the acts, and return how the wait ended by it; `None` when it did not."""
    match who:
        case "ann" | "bob":
            try:
                return answer(session, run_id, "w", who, answered_by=who)["status"], who
            except psycopg2.errors.ObjectNotInPrerequisiteState:
                session("rollback")
                return None
        case "signal":
            return ("answered", "s") if signal(session, "paid", run_id, payload="s") else None
        case "deadline":
            session(
                "update pgflow.waits set due_at = clock_timestamp() - interval '1 s'"
                " where run_id = %s and status = 'open'",
                run_id,
            )
            asked = wait(session, run_id, "w", "wait")
            return ("timed_out", None) if asked["status"] == "timed_out" else None
        case _:
            cancelled = session.value("select pgflow.cancel_waiting_run(%s)", run_id)
            return ("cancelled", None) if cancelled else None


class Actor:
    """Acts in a transaction of its own, and commits when it is told to."""

    def __init__(self, session: Session, run_id: str, who: str, pool: ThreadPoolExecutor) -> None:
        self.may_commit = threading.Event()
        self.has_acted = threading.Event()
        self._session = session
        self.pid: int = session.value("select pg_backend_pid()")
        self.done: Future[Outcome | None] = pool.submit(self._work, run_id, who)

    def _work(self, run_id: str, who: str) -> Outcome | None:
        try:
            self._session("begin")
            outcome = act(self._session, run_id, who)
            self.has_acted.set()
            self.may_commit.wait(60)
            self._session("commit")
            return outcome
        finally:
            self.has_acted.set()


@given(
    st.lists(st.sampled_from(ACTS), min_size=2, max_size=5, unique=True).flatmap(
        lambda acts: st.tuples(st.just(acts), st.permutations(range(len(acts))))
    )
)
@settings(max_examples=40)
def test_whatever_comes_at_once_one_of_it_counts(url: str, drawn: tuple[list[str], Any]) -> None:
    acts, order = drawn
    sessions = [Session(url) for _ in range(len(acts) + 1)]
    sql = sessions.pop()
    try:
        run_id = waiting_run(sql)
        wait(sql, run_id, "w", "wait", signal="paid", key=run_id, seconds=3600)
        outcomes = played(sql, sessions, run_id, acts, order)
        [(status, value, told)] = sql(
            "select status, answer, answered_by from pgflow.waits where run_id = %s", run_id
        )
        winners = [outcome for outcome in outcomes if outcome not in (None, ("cancelled", None))]
        if status == "cancelled":
            assert winners == []
        else:
            assert winners == [(status, value)]
        assert told == value or (value, told is None) in (("s", False), (None, True))
        kept = sql("select taken_by is null from pgflow.signals where key = %s", run_id)
        assert kept == ([(value != "s",)] if "signal" in acts else [])
    finally:
        for session in (sql, *sessions):
            session.close()


def played(
    sql: Session, sessions: list[Session], run_id: str, acts: list[str], order: list[int]
) -> list[Outcome | None]:
    """Begin acts one after the other, and let them commit in another order."""
    with ThreadPoolExecutor(len(acts)) as pool:
        actors = []
        try:
            for session, who in zip(sessions, acts, strict=True):
                actors.append(Actor(session, run_id, who, pool))
                poll(lambda: has_come_to_a_stop(sql, actors[-1]))
        finally:
            for number in order:
                if number < len(actors):
                    actors[number].may_commit.set()
        return [actor.done.result() for actor in actors]


def has_come_to_a_stop(sql: Session, actor: Actor) -> bool:
    """Whether it has acted, or waits for others that have."""
    blocked = "select cardinality(pg_blocking_pids(%s)) > 0"
    return actor.has_acted.is_set() or bool(sql.value(blocked, actor.pid))


def test_a_deadline_that_passes_while_an_answer_is_not_committed_waits_for_it(
    sql: Session, new_session: Callable[[], Session]
) -> None:
    run_id, person, step = waiting_run(sql), new_session(), new_session()
    wait(sql, run_id, "w", seconds=3600)
    for end, status in (("rollback", "open"), ("commit", "answered")):
        person("begin")
        answer(person, run_id, "w", answered_by="ann")
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(wait, step, run_id, "w")
            poll(lambda: sql.value("select count(*) from pg_locks where not granted") > 0)
            person(end)
            assert asked.result()["status"] == status
