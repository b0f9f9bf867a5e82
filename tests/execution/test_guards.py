"""Steps whose handlers are called past circuit breakers, bulkheads and rate limiters.

Every run here is one of its own in Dagster; what they share is rows.
"""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import PGFLOW_KEY
from dagster_pgflow.resources import StoreOfSteps
from dagster_pgflow.step_errors import NonRetryable
from dagster_pgflow.store import call_guards
from dagster_pgflow.store.database import Database
from tests.execution.harness import Result, run
from tests.polling import poll
from tests.postgres import Session

ONCE: dict[str, Any] = {"max_attempts": 1}


class Service:
    """A web service of a kind, which is down or not."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None

    def __call__(self, given: Any) -> Any:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return given


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def execute(database: Database, service: Service) -> Callable[..., Result]:
    """Runs a flow whose handler `service` is that service."""

    def executed(flow: Flow, input: Any = None, **others: Any) -> Result:
        resources = {PGFLOW_KEY: StoreOfSteps(database)}
        handlers = {"service": service, **others.pop("handlers", {})}
        return run(flow, input, handlers=handlers, resources=resources, **others)

    return executed


def breakers(sql: Session) -> dict[str, tuple[str, str]]:
    rows = sql("select key, state, outcomes from pgflow.circuit_breakers")
    return {key: (state, outcomes) for key, state, outcomes in rows}


def test_failures_of_several_runs_open_a_breaker_and_the_next_run_calls_nothing(
    execute: Callable[..., Result], service: Service, sql: Session
) -> None:
    flow = Flow("f").step("pay", "service", circuit_breaker={"min_calls": 3}, **ONCE)
    service.error = ValueError("down")
    for _ in range(3):
        assert "down" in execute(flow).error
    refused = execute(flow).error
    assert service.calls == 3
    since, until = sql(
        "select to_char(opened_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'),"
        " to_char(open_until at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')"
        " from pgflow.circuit_breakers"
    )[0]
    assert refused == (
        'The handler of step "pay" (flow "f", attempt 1) was not called. Circuit breaker "f.pay" is'
        f" open since {since} UTC, when 3 of the last 3 calls had failed; it lets some through"
        f" again from {until} UTC on, or after pgflow.reset_circuit_breaker('f.pay')."
    )

    service.error = None
    sql("update pgflow.circuit_breakers set open_until = now()")
    assert execute(flow).success
    assert breakers(sql) == {"f.pay": ("half_open", ".")}
    assert execute(flow).success
    assert breakers(sql) == {"f.pay": ("closed", "")}


def test_a_call_that_is_refused_is_a_failed_attempt_like_others(
    execute: Callable[..., Result], service: Service
) -> None:
    flow = Flow("f").step(
        "pay", "service", circuit_breaker={"min_calls": 1}, max_attempts=3, base_delay=0
    )
    service.error = ValueError("down")
    result = execute(flow)
    assert service.calls == 1
    assert result.retries == {"pay": 2}
    assert "is open since" in result.error
    skipping = flow.model_copy(
        update={"steps": (flow.steps[0].model_copy(update={"when_exhausted": "skip"}),)}
    )
    assert execute(skipping).statuses == {"pay": "skipped"}


def test_each_element_of_a_map_step_is_a_call(
    execute: Callable[..., Result], service: Service, sql: Session
) -> None:
    flow = Flow("f").map(
        "m", "service", circuit_breaker={"min_calls": 4}, batch_size=3, collect_errors=True, **ONCE
    )
    service.error = ValueError("down")
    outputs = execute(flow, list(range(10))).outputs["m"]
    assert service.calls == 4
    assert ["is open since" in one["error"]["message"] for one in outputs] == [
        *[False] * 4, *[True] * 6,
    ]  # fmt: skip
    assert breakers(sql) == {"f.m": ("open", "xxxx")}


def test_steps_of_every_kind_with_a_handler_have_guards(
    execute: Callable[..., Result], sql: Session
) -> None:
    every: dict[str, Any] = {"circuit_breaker": True, "bulkhead": True, "rate_limiter": True}
    flow = (
        Flow("f")
        .step("a", "service", **every)
        .map("m", "service", depends_on="a", **every)
        .branch("b", handler="service", depends_on="m", rules=[("true", "c")], **every)
        .step("c", "service", depends_on="b", **every)
        .loop(
            "l", handler="service", depends_on="c", back_to="l", condition="true",
            max_iterations=3, **every,
        )
        .subflow("s", "child", depends_on="l")
    )  # fmt: skip
    child = Flow("child").step("one", "service", **every)
    assert execute(flow, [1, 2], others=[child]).success
    counted = {"f.a": 1, "f.m": 2, "f.b": 1, "f.c": 1, "f.l": 3, "child.one": 1}
    assert breakers(sql) == {key: ("closed", "." * calls) for key, calls in counted.items()}
    assert dict(sql("select key, under_way from pgflow.v_bulkheads")) == dict.fromkeys(counted, 0)
    assert set(sql.column("select key from pgflow.rate_limiters")) == set(counted)


def test_a_step_without_guards_asks_nobody(execute: Callable[..., Result], sql: Session) -> None:
    flow = Flow("f").step("a", "service").branch("b", rules=[("true", "c")], bulkhead=True)
    assert execute(flow.step("c", "service", depends_on="b")).success
    assert sql("select key from pgflow.bulkheads") == []


def test_the_fault_of_the_caller_says_nothing_of_the_service(
    execute: Callable[..., Result], service: Service, sql: Session
) -> None:
    flow = Flow("f").step("a", "service", circuit_breaker={"min_calls": 1}, bulkhead=True)
    service.error = NonRetryable("no such order")
    assert "no such order" in execute(flow).error
    assert breakers(sql) == {}
    assert sql("select * from pgflow.guarded_calls") == []


def test_flows_that_name_one_key_share_a_guard_unless_they_are_of_other_tenants(
    execute: Callable[..., Result], service: Service
) -> None:
    guard: dict[str, Any] = {"circuit_breaker": {"key": "bank", "min_calls": 1}}
    first, second = (Flow(slug).step("a", "service", **guard, **ONCE) for slug in "fg")
    other = Flow("h", tags={"tenant": "t"}).step("a", "service", **guard, **ONCE)
    service.error = ValueError("down")
    assert "down" in execute(first).error
    assert 'Circuit breaker "bank" is open' in execute(second).error
    assert "down" in execute(other).error


def test_a_full_bulkhead_is_waited_for_and_then_fails_the_attempt(
    execute: Callable[..., Result], service: Service, sql: Session
) -> None:
    guard: dict[str, Any] = {"key": "k", "max_concurrent": 1, "max_wait_seconds": 0}
    flow = Flow("f").step("a", "service", bulkhead=guard, **ONCE)
    call = str(uuid4())
    sql("select pgflow.enter_call('', %s, %s, 'x')", json.dumps({"bulkhead": guard}), call)
    assert execute(flow).error == (
        'The handler of step "a" (flow "f", attempt 1) was not called. Bulkhead "k" lets 1 calls be'
        " under way at once, and 1 were for all of the 0 s that this one waits; raise"
        " max_concurrent, max_wait_seconds or the step's max_attempts."
    )
    assert service.calls == 0

    def frees(_given: Any) -> None:
        sql("select pgflow.leave_call('', '{}', %s, 'unknown')", call)

    patient = Flow("f").step("a", "service", bulkhead={**guard, "max_wait_seconds": 60}, **ONCE)
    assert execute(Flow("g").step("x", "frees"), handlers={"frees": frees}).success
    assert execute(patient).success
    assert sql("select * from pgflow.guarded_calls") == []


def test_a_rate_limiter_makes_calls_wait_for_their_turn_or_fail(
    execute: Callable[..., Result], service: Service, sql: Session
) -> None:
    quick = {"calls": 1, "per_ms": 20}
    flow = Flow("f").map("m", "service", rate_limiter=quick, **ONCE)
    assert execute(flow, [1, 2, 3]).success
    slow = {"calls": 1, "per_ms": 24 * 3600 * 1000, "key": "slow"}
    flow = Flow("f").map("m", "service", rate_limiter=slow, batch_size=2, collect_errors=True,
                         **ONCE)  # fmt: skip
    sql("delete from pgflow.rate_limiters")
    first, second = execute(flow, [1, 2]).outputs["m"]
    assert first == 1
    assert (
        "lets 1 calls begin each 86400000 ms, and the next free turn is in"
        in (second["error"]["message"])
    )
    assert service.calls == 4


def test_what_is_under_way_is_kept_as_long_as_its_process_is_at_work(
    execute: Callable[..., Result], sql: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_guards, "KEEP_EVERY_S", 0.01)

    def slow(given: Any) -> Any:
        assert sql.value("select under_way from pgflow.v_bulkheads") == 1
        sql("update pgflow.guarded_calls set expires_at = now() - interval '1 second'")
        poll(lambda: sql.value("select under_way from pgflow.v_bulkheads") == 1)
        return given

    assert execute(Flow("f").step("a", "slow", bulkhead=True), handlers={"slow": slow}).success
    assert sql.value("select under_way from pgflow.v_bulkheads") == 0
