"""Runs that come to an end by themselves, in this process: one example of each thing that happens.

Each has a name, flows of which the last one runs, and an input.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps.loop import MOST_ITERATIONS_IN_A_JOB
from dagster_pgflow.step_errors import NonRetryable, RetryAfter
from tests.execution.harness import gives
from tests.execution.small_flows import HANDLERS as SMALL
from tests.execution.test_iterations_as_runs import essay
from tests.execution.test_iterations_as_runs import write as draft
from tests.execution.test_projection_of_child_runs import CASES, FLOWS, apart
from tests.execution.test_projection_of_routes import CLAIM

UNASKED: Final = object()
"""The input of a run that gets no run config."""

Plain = tuple[tuple[Flow, ...], Any]


def flaky(value: Any, ctx: Any) -> Any:
    """Fails the first try of a two, each of a three, and a four for good."""
    if value == 4:
        raise NonRetryable("four")
    if value == 2 and ctx.attempt == 1:
        raise RetryAfter(0)
    if value == 3:
        raise ValueError(f"three at try {ctx.attempt}")
    return value * 10


def slow(value: Any) -> Any:
    time.sleep(1.5)
    return value


def long(value: Any) -> Any:
    """Returns more than a report holds."""
    return [f"{value} {'long ' * 1000}", value]


def longest(value: Any) -> Any:
    """Returns more than the database holds, where there is another place."""
    return [value, "x" * 1_100_000]


def where(_: Any, ctx: Any) -> str:
    return str(ctx.step_path)


HANDLERS: Mapping[str, Callable[..., Any]] = {
    **SMALL,
    **{function.__name__: function for function in (flaky, slow, long, longest, where)},
    "write": draft,
    "first": lambda given: given["all"]["draft"],
    "plus": lambda value: value + 1,
}


def one(slug: str, handler: str = "echo", **settings: Any) -> Flow:
    """Returns a flow of two steps, of which the first does something."""
    return Flow(slug).step("a", handler, **settings).step("b", "echo", depends_on="a")


def mapped(slug: str, handler: str = "plus", **settings: Any) -> Flow:
    """Returns a flow with a map step, and a step behind it."""
    flow = Flow(slug, max_attempts=2, base_delay=0)
    return flow.map("m", handler, **settings).step("sum", "echo", depends_on="m")


PIPELINE = (
    Flow("pipeline", base_delay=0)
    .map("m", "plus", batch_size=3)
    .map("n", "echo", depends_on="m", pipelined=True)
    .map("o", "flaky", depends_on="n", pipelined=True, when_exhausted="skip")
    .step("sum", "echo", depends_on=["n", "o"])
)
CONDITIONS = (
    Flow("conditions")
    .step("a", "echo")
    .step("plain", "echo", depends_on="a", if_={"a": {"go": True}})
    .step("asked", "echo", depends_on="a", run_if="input.a.n > 5")
    .step("unless", "echo", depends_on="a", run_unless="input.a.n < 5")
    .step("unanswered", "echo", depends_on="a", run_if="input.a.missing.key == 1")
    .step("cascade", "echo", depends_on="a", if_={"a": 1}, when_unmet="skip-cascade")
    .step("behind", "echo", depends_on=["cascade", "plain"])
    .map("far_behind", "echo", depends_on="behind")
)
NESTED_LOOPS = (
    Flow("nested_loops")
    .step("before", "echo")
    .step("outer_begin", "where", depends_on="before")
    .step("inner_begin", "where", depends_on=["outer_begin", "before"])
    .loop("inner", back_to="inner_begin", condition="ctx.iteration < 2", max_iterations=3,
          depends_on="inner_begin")
    .loop("outer", back_to="outer_begin", condition="ctx.iteration < 2", max_iterations=3,
          depends_on="inner")
    .step("end", "echo", depends_on="outer")
)  # fmt: skip
ALONE = (
    Flow("alone")
    .step("job", "echo")
    .loop("poll", handler="where", back_to="poll", condition="ctx.iteration < 3", max_iterations=5,
          depends_on="job")
)  # fmt: skip
JOINED = (
    Flow("joined", base_delay=0, max_attempts=1)
    .step("list", **gives([1, 4, 2]))
    .map("m", "flaky", depends_on="list", collect_errors=True)
    .step("skipped", "echo", if_={"no": 1})
    .branch("way", rules=[("false", "left")], depends_on="list")
    .step("left", "echo", depends_on="way")
    .join("two", wait=2, depends_on=["m", "skipped", "left", "list"])
    .join("all", depends_on=["m", "left"])
)
ASKED = Flow("asked", input_schema={"properties": {"unit": {"type": "string", "default": "kg"}}})
READER = Flow("reader").step("read", "echo")
ROUTED_ESSAY = (
    Flow("library")
    .subflow("write", "essay", on_failure="apologise")
    .step("apologise", "echo", depends_on="write")
)
HOSTILE = (
    Flow("hostile")
    .step("a", "echo")
    .map("m", "echo", batch_size=2)
    .step("b", "echo", depends_on=["a", "m"])
    .subflow("inline", "reader", input={"value": "$nodes.a"}, depends_on="a")
    .subflow("items", "reader", over="$nodes.a", depends_on="a", mode="run")
)
HOSTILE_INPUT = [
    {"dagster-pgflow/skipped": {"reason": "handler_failed", "step": "a", "cascade": True}},
    {"dagster-pgflow/batch": {"start": 0, "values": [1]}},
    {"dagster-pgflow/json": '{"a": 1}'},
    {"dagster-pgflow/pass": {"flow_input": 1, "outside": {}, "before": {}}},
    {"dagster-pgflow/outcome": {"status": "failed"}},
    {"__class__": "SensorTick", "__enum__": "no dot", "__set__": None},
    {"stored_at": "nowhere"},
    {"error": {"message": "none", "attempts": 3}},
    ["\\u0000", "\x01\x1b[2J", "\u2028", "🙂", "1e5000", "\\N", "", "a\tb\r\n"],
    [0, -0.0, 1.0, 1e22, 2**63, 10**309, 5e-324, None, False, {}, []],
]


def loops(words: int, enough: int, **more: Any) -> dict[str, Any]:
    """Returns the input of an essay."""
    return {"words": words, "enough": enough, **more}


FEW, MANY = essay(3), essay(MOST_ITERATIONS_IN_A_JOB + 1)
PLAIN: Mapping[str, Plain] = {
    "a single step": ((one("single"),), {"x": 1}),
    "no run config": ((ASKED.step("a", "echo"),), UNASKED),
    "an input that does not fit": (
        (Flow("strict", input_schema={"required": ["x"]}).step("a", "echo"),),
        {},
    ),
    "a retry, then success": ((one("retried", "flaky", base_delay=0),), 2),
    "retries exhausted": ((one("exhausted", "flaky", base_delay=0, max_attempts=3),), 3),
    "not to be tried again": ((one("final", "flaky"),), 4),
    "exhausted and skipped": (
        (one("skipping", "flaky", base_delay=0, when_exhausted="skip"),),
        3,
    ),
    "exhausted and skipped on": (
        (one("cascading", "flaky", base_delay=0, when_exhausted="skip-cascade"),),
        4,
    ),
    "a timeout": ((one("timeout", "slow", timeout=1, max_attempts=1),), 1),
    "a start delay and a wait": (
        (one("delayed", "flaky", start_delay=30, base_delay=60, max_attempts=2),),
        2,
    ),
    "a handler that nobody has": ((one("unknown", "nobody"),), 1),
    "a map": ((mapped("map_alone"),), [1, 2, 3]),
    "a map of batches": ((mapped("batches", batch_size=4),), list(range(10))),
    "a map of batches of its own size": ((mapped("sized"),), list(range(105))),
    "an empty map": ((mapped("empty"),), []),
    "a map over no list": ((mapped("no_list"),), {"x": 1}),
    "a map whose elements fail": ((mapped("failing", "flaky", batch_size=2),), [1, 2, 3, 4, 5]),
    "a map that is skipped": (
        (mapped("skipped_map", "flaky", when_exhausted="skip"),),
        [1, 2, 3, 4],
    ),
    "a map that collects errors": (
        (mapped("collecting", "flaky", batch_size=3, collect_errors=True),),
        [1, 2, 3, 4, 5],
    ),
    "a map within its failures": ((mapped("bounded", "flaky", max_failures=2),), [1, 3, 4, 5]),
    "a map beyond its failures": (
        (mapped("beyond", "flaky", max_failures_percent=25, batch_size=2),),
        [1, 3, 4, 5],
    ),
    "pipelined maps": ((PIPELINE,), [0, 1, 2, 3, 4, 5, 6]),
    "conditions that hold or not": ((CONDITIONS,), {"go": False, "n": 9}),
    "a condition that may not fail": (
        (one("strictly", if_={"x": 2}, when_unmet="fail"),),
        {"x": 1},
    ),
    "a branch by a rule": ((CLAIM,), {"score": 50}),
    "a branch by default": ((CLAIM,), {"score": 5}),
    "joins": ((JOINED,), {}),
    "a loop that breaks": ((READER, FEW), loops(20, 2)),
    "a loop that times out": ((READER, FEW), loops(200, 9)),
    "a loop that fails": ((READER, FEW), loops(20, 3, fails_in=2)),
    "a loop that fails in a subflow": (
        (READER, FEW, ROUTED_ESSAY),
        loops(20, 3, fails_in=2),
    ),
    "a loop in a loop": ((NESTED_LOOPS,), {}),
    "a loop around itself": ((ALONE,), {}),
    "a loop of runs": ((READER, MANY), loops(20, 3)),
    "a loop of runs that fails": ((READER, MANY), loops(20, 3, fails_in=2)),
    "large outputs": (
        (one("large", "long"), mapped("large_map", "long", batch_size=2)
         .subflow("large", "large", depends_on="sum", output="$nodes.b.a")
         .subflow("apart", "large", depends_on="sum", mode="run")),
        [1, 2, 3],
    ),
    "values with marks of ours": ((READER, HOSTILE), HOSTILE_INPUT),
}  # fmt: skip

INLINE = (
    "items",
    "one that fails in two levels",
    "three levels that fail, routed at the top",
    "a bad input, routed",
    "an output that breaks its schema, routed",
    "a skip",
    "skips inside",
    "behind a failure",
    "an item that fails, routed",
    "an item that fails",
    "items of an input",
    "no items",
    "items that are no list",
    "items with maps",
)
"""Which subflows run inside their runs."""

APART = (
    "items",
    "one that fails",
    "one that fails, routed",
    "three levels that fail, routed at the top",
    "a bad input, routed",
    "an output that breaks its schema",
    "a skip of three levels",
    "an empty map",
    "behind a failure",
    "items beside one that fails, routed by the flow around",
    "a trace of what ran and what did not",
    "no items",
    "an item that fails, routed",
    "items with maps",
)
"""Which are runs of their own."""


def trees() -> dict[str, Plain]:
    """Return runs of subflows, inside the run and as runs of their own."""
    found: dict[str, Plain] = {}
    for name in INLINE:
        top, given = CASES[name]
        found[f"subflows inside: {name}"] = ((*FLOWS.values(), top), given)
    for name in APART:
        top, given = CASES[name]
        flows = tuple(map(apart, (*FLOWS.values(), top)))
        found[f"subflows as runs: {name}"] = (flows, given)
    return found
