"""Circuit breakers, bulkheads and rate limiters, as the functions of the store decide."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_jsonable_python

from dagster_pgflow.model.guards import GUARDS, Bulkhead, CircuitBreaker, Guard, RateLimiter
from dagster_pgflow.store.call_guards import CallGuardRows
from dagster_pgflow.store.database import Database
from tests.postgres import Session
from tests.store.guard_models import LEASE_S, Breaker

BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
LONG = 60


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def guards_of(*guards: Guard, key: str = "k") -> dict[str, Any]:
    names = {kind: name for name, kind in GUARDS.items()}
    return {names[type(guard)]: guard.model_dump() | {"key": key} for guard in guards}


def enter(
    sql: Session, guards: dict[str, Any], seconds: float, call: UUID | None = None, tenant: str = ""
) -> dict[str, Any]:
    answer: dict[str, Any] = sql.value(
        "select pgflow.enter_call(%s, %s, %s, 'a test', %s)",
        tenant, json.dumps(guards), str(call or uuid4()), at(seconds),
    )  # fmt: skip
    return answer


def leave(
    sql: Session, guards: dict[str, Any], call: UUID, outcome: str, *, of_round: int, seconds: float
) -> None:
    sql(
        "select pgflow.leave_call('', %s, %s, %s, %s, %s)",
        json.dumps(guards), str(call), outcome, of_round, at(seconds),
    )  # fmt: skip


def fail(sql: Session, guards: dict[str, Any], times: int, seconds: float = 0) -> None:
    for _ in range(times):
        call = uuid4()
        entered = enter(sql, guards, seconds, call)
        leave(sql, guards, call, "failed", of_round=entered["round"], seconds=seconds)


def test_sql_and_python_have_the_same_guards(sql: Session) -> None:
    listed = {
        name: {
            field: {"default": info.default} if info.default is not None else {}
            for field, info in kind.model_fields.items()
        }
        for name, kind in GUARDS.items()
    }
    known = sql.value("select pgflow.guard_fields()")
    assert {
        name: {field: {k: v for k, v in of.items() if k == "default"} for field, of in had.items()}
        for name, had in known.items()
    } == to_jsonable_python(listed)
    for name, kind in GUARDS.items():
        bounds = {field: (of["from"], of["to"]) for field, of in known[name].items()}
        assert bounds == {"key": (1, 200), **kind.bounds()}


BREAKERS = st.builds(
    CircuitBreaker,
    failure_rate=st.sampled_from([1, 34, 50, 67, 100]),
    window=st.integers(1, 5),
    min_calls=st.integers(1, 6),
    open_seconds=st.integers(1, 40),
    half_open_calls=st.integers(1, 3),
)
ENTERS = st.tuples(st.just("enter"), st.integers(0, 25))
LEAVES = st.tuples(
    st.sampled_from(["succeeded", "failed", "failed", "unknown"]), st.integers(0, 25)
)


@given(breaker=BREAKERS, actions=st.lists(ENTERS | LEAVES, max_size=25), data=st.data())
def test_a_circuit_breaker_does_what_its_rules_say(
    sql: Session, breaker: CircuitBreaker, actions: list[tuple[str, int]], data: st.DataObject
) -> None:
    guards, model = guards_of(breaker, key=str(uuid4())), Breaker(**_numbers(breaker))
    under_way: dict[UUID, int] = {}
    now = 0
    for action, later in actions:
        now += later
        if action == "enter":
            call = uuid4()
            said = enter(sql, guards, now, call)
            wanted = model.enter(str(call), now)
            told = said.get("refused") or ("trying" if "is_trying" in said else "let through")
            assert told == wanted
            if "round" in said:
                assert said["round"] == model.round
                under_way[call] = said["round"]
        elif under_way:
            call = data.draw(st.sampled_from(list(under_way)))
            began_in = under_way.pop(call)
            leave(sql, guards, call, action, of_round=began_in, seconds=now)
            failed = None if action == "unknown" else action == "failed"
            model.leave(str(call), began_in, failed, now)
        kept = sql("select state, outcomes from pgflow.circuit_breakers where key = %s",
                   guards["circuit_breaker"]["key"])  # fmt: skip
        marks = "".join("x" if failed else "." for failed in model.outcomes)
        assert kept == [(model.state, marks)] or (not kept and model.round == 0 and not marks)


def _numbers(breaker: CircuitBreaker) -> dict[str, Any]:
    return dict(breaker.model_dump(exclude={"key"}))


def test_a_refusal_says_since_when_and_until_when(sql: Session) -> None:
    guards = guards_of(CircuitBreaker(min_calls=2, open_seconds=30))
    fail(sql, guards, 2)
    assert enter(sql, guards, 29) == {
        "refused": "open",
        "guard": "circuit_breaker",
        "since": "2030-01-01 00:00:00",
        "until": "2030-01-01 00:00:30",
        "calls": 2,
        "failures": 2,
    }
    tried = [enter(sql, guards, 30 + n) for n in range(4)]
    assert [said.get("refused") for said in tried] == [None, None, None, "half_open"]
    assert tried[3]["trying"] == 3


def test_a_reset_closes_and_forgets_and_so_do_calls_of_before(sql: Session) -> None:
    guards, late = guards_of(CircuitBreaker(min_calls=2)), uuid4()
    began_in = enter(sql, guards, 0, late)["round"]
    fail(sql, guards, 2)
    seen = sql.records("select key, state, calls, failures, trying from pgflow.v_circuit_breakers")
    assert seen == [{"key": "k", "state": "open", "calls": 2, "failures": 2, "trying": 0}]
    assert sql.value("select pgflow.reset_circuit_breaker('other')") == 0
    assert sql.value("select pgflow.reset_circuit_breaker('k')") == 1
    leave(sql, guards, late, "failed", of_round=began_in, seconds=1)
    seen = sql.records("select state, calls, opened_at, open_until from pgflow.v_circuit_breakers")
    assert seen == [{"state": "closed", "calls": 0, "opened_at": None, "open_until": None}]
    assert "refused" not in enter(sql, guards, 1)


def test_tries_of_dead_processes_are_given_to_others(sql: Session) -> None:
    guards = guards_of(CircuitBreaker(min_calls=1, open_seconds=1, half_open_calls=1))
    fail(sql, guards, 1)
    assert "refused" not in enter(sql, guards, 1)
    assert enter(sql, guards, LEASE_S)["refused"] == "half_open"
    assert "refused" not in enter(sql, guards, LEASE_S + 1)


def test_a_slot_is_free_when_its_call_ends_or_is_not_heard_of(sql: Session) -> None:
    guards, first, second = guards_of(Bulkhead(max_concurrent=1)), uuid4(), uuid4()
    assert enter(sql, guards, 0, first) == {}
    assert enter(sql, guards, 0, first) == {}, "asked again after a lost answer"
    assert enter(sql, guards, 1) == {"refused": "full", "under_way": 1, "guard": "bulkhead"}
    leave(sql, guards, first, "succeeded", of_round=0, seconds=2)
    assert enter(sql, guards, 2, second) == {}
    assert sql.value("select pgflow.keep_call(%s, %s)", str(second), at(12))
    assert "refused" in enter(sql, guards, 11 + LEASE_S)
    assert enter(sql, guards, 12 + LEASE_S) == {}
    assert not sql.value("select pgflow.keep_call(%s)", str(second))
    seen = sql("select key, max_concurrent, under_way from pgflow.v_bulkheads")
    assert seen == [("k", 1, 1)]


def test_what_the_circuit_breaker_refuses_holds_no_slot(sql: Session) -> None:
    guards = guards_of(Bulkhead(max_concurrent=1), CircuitBreaker(min_calls=1))
    fail(sql, guards, 1)
    for _ in range(2):
        assert enter(sql, guards, 1)["guard"] == "circuit_breaker"
    assert sql.value("select count(*) from pgflow.guarded_calls") == 0


LIMITERS = st.builds(
    RateLimiter,
    calls=st.integers(1, 3),
    per_ms=st.sampled_from([1, 250, 1_000, 8_000]),
    max_wait_seconds=st.integers(0, LONG),
)


@given(limiter=LIMITERS, steps=st.lists(st.integers(0, 4_000), max_size=25))
def test_no_period_has_more_calls_than_a_rate_limiter_says_and_none_waits_for_nothing(
    sql: Session, limiter: RateLimiter, steps: list[int]
) -> None:
    guards, now, begun = guards_of(limiter, key=str(uuid4())), 0, Counter[int]()
    for later in steps:
        now += later
        said = enter(sql, guards, now / 1000)
        mine = now // limiter.per_ms
        while begun[mine] >= limiter.calls:
            mine += 1
        begins_ms = max(mine * limiter.per_ms, now)
        if begins_ms - now > limiter.max_wait_seconds * 1000:
            assert said["refused"] == "no_turn"
        else:
            begun[mine] += 1
            assert said.get("wait", 0) == pytest.approx((begins_ms - now) / 1000)


def test_a_clock_that_was_set_back_stops_nobody(sql: Session) -> None:
    guards = guards_of(RateLimiter(calls=1))
    assert enter(sql, guards, 3_600) == {}
    assert enter(sql, guards, 0) == {}


def test_a_call_that_has_to_wait_for_its_turn_holds_nothing_meanwhile(sql: Session) -> None:
    guards = guards_of(RateLimiter(calls=1, per_ms=1_000), Bulkhead())
    assert enter(sql, guards, 0) == {}
    assert enter(sql, guards, 0) == {"wait": 1, "guard": "rate_limiter"}
    assert sql.value("select count(*) from pgflow.guarded_calls") == 1


def test_tenants_share_nothing(sql: Session) -> None:
    guards = guards_of(Bulkhead(max_concurrent=1), RateLimiter(calls=1, max_wait_seconds=0))
    assert enter(sql, guards, 0, tenant="a") == {}
    assert enter(sql, guards, 0, tenant="b") == {}
    assert enter(sql, guards, 0, tenant="b")["refused"] == "no_turn"


def test_many_at_once_never_get_more_than_there_is(new_session: Callable[[], Session]) -> None:
    sessions = [new_session() for _ in range(6)]
    guards = guards_of(
        Bulkhead(max_concurrent=3), RateLimiter(calls=100, per_ms=1_000, max_wait_seconds=0)
    )

    def work(sql: Session) -> Counter[str]:
        told = Counter[str]()
        for _ in range(30):
            call = uuid4()
            said = enter(sql, guards, 0, call)
            told[said.get("refused", "begun")] += 1
            if "refused" not in said:
                held = sql.value("select count(*) from pgflow.guarded_calls")
                told["too many"] += held > 3
                leave(sql, guards, call, "succeeded", of_round=0, seconds=0)
        return told

    with ThreadPoolExecutor(len(sessions)) as pool:
        told = sum(pool.map(work, sessions), Counter[str]())
    assert told["begun"] + told["full"] == 100
    assert told["no_turn"] == 80
    assert told["too many"] == 0


HOLDER = """
import sys, time
from uuid import uuid4
from dagster_pgflow.store.call_guards import CallGuardRows
from dagster_pgflow.store.database import Database
rows, call = CallGuardRows(Database(sys.argv[1])), uuid4()
with rows.keeping(call):
    guards = {"bulkhead": {"key": "k", "max_concurrent": 1, "max_wait_seconds": 0}}
    print(rows.enter("", guards, call, "a process"), flush=True)
    time.sleep(600)
"""


def test_a_process_that_is_killed_leaves_its_slot_to_others(
    sql: Session, database_url: str
) -> None:
    guards = guards_of(Bulkhead(max_concurrent=1))
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, database_url], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "{}\n"
        entered = "select pgflow.enter_call('', %s, gen_random_uuid(), 'me') ->> 'refused'"
        assert sql.value(entered, json.dumps(guards)) == "full"
        holder.kill()
    assert sql.value("select count(*) from pgflow.guarded_calls") == 1
    # As if so much time had passed in which nobody heard of it.
    sql("update pgflow.guarded_calls set expires_at = expires_at - pgflow.call_lease()")
    assert sql.value(entered, json.dumps(guards)) is None


def test_an_outcome_that_cannot_be_told_is_a_warning_and_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = CallGuardRows(Database("postgresql://nobody@127.0.0.1:1/nowhere"))
    rows.leave("", guards_of(CircuitBreaker()), uuid4(), "failed", 0)
    assert "What a guarded call came to is not counted" in caplog.text
