"""What steps say of assets, as Dagster hears it from their runs."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import FLOW_INPUT
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.step_errors import NonRetryable
from dagster_pgflow.validation.validate import ensure_valid
from tests.execution.harness import Handlers, job_of

Told = tuple[str, str | None]
"""A key and a partition."""


class Assets:
    """A run, and what it told Dagster of assets.

    Attributes:
        success: Whether it went well.
        materialized: The assets, in the order of the events.
        observed: The keys of those that it worked from.
        metadata: What was said of each key last.
        errors: What failed.
    """

    def __init__(self, result: dg.ExecuteInProcessResult) -> None:
        self.success = result.success
        events = [event for event in result.all_events if event.is_step_event]
        made = [
            event.step_materialization_data.materialization
            for event in events
            if event.is_step_materialization
        ]
        self.materialized: list[Told] = [
            (one.asset_key.to_user_string(), one.partition) for one in made
        ]
        self.metadata = {
            one.asset_key.to_user_string(): {k: v.value for k, v in one.metadata.items()}
            for one in made
        }
        self.observed = [
            event.asset_observation_data.asset_observation.asset_key.to_user_string()
            for event in events
            if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION
        ]
        self.errors = [
            event.step_failure_data.user_failure_data.description or ""
            for event in events
            if event.is_step_failure and event.step_failure_data.user_failure_data
        ]


def ran(
    flow: Flow,
    input: Any = None,
    handlers: Handlers | None = None,
    others: Iterable[Flow] = (),
) -> Assets:
    ensure_valid(flow, {one.slug: one for one in others})
    job = job_of(flow, others, handlers)
    config = {"inputs": {FLOW_INPUT: input}}
    return Assets(job.execute_in_process(run_config=config, raise_on_error=False))


def once_broken() -> Callable[[Any, StepContext], Any]:
    """A handler whose first attempt at `2` fails, and that says what each element comes to."""

    def handle(value: Any, ctx: StepContext) -> Any:
        if value == 2 and ctx.attempt == 1:
            raise ValueError("too early")
        ctx.materialize(f"price/{value}", metadata={"double": value * 2})
        return value * 2

    return handle


def test_a_completed_step_materializes_what_it_produces_with_what_is_known_of_it() -> None:
    def handle(value: Any, ctx: StepContext) -> Any:
        ctx.materialize("raw/orders/eu", metadata={"rows": 3, "__class__": {"__class__": "x"}})
        ctx.materialize("raw/rejected", partition="monday", metadata={"secret": None})
        return value

    flow = Flow("f").step(
        "load",
        "load",
        produces=["raw/orders/${$input.region}", "raw/all"],
        consumes=["shop/orders", "shop/orders"],
        partition="$input.day",
    )
    told = ran(flow, {"region": "eu", "day": "2026-01-01"}, {"load": handle})
    assert told.materialized == [
        ("raw/all", "2026-01-01"),
        ("raw/orders/eu", "2026-01-01"),
        ("raw/rejected", "monday"),
    ]
    assert told.observed == ["shop/orders"]
    said = told.metadata["raw/orders/eu"]
    assert said["rows"] == 3
    assert said["__class__"] == {"dagster-pgflow/json": '{"__class__":"x"}'}
    assert (said["pgflow/flow"], said["pgflow/step"]) == ("f", "load")
    assert said["pgflow/consumes"] == ["shop/orders", "shop/orders"]
    assert "from pgflow.step_tasks" in str(said["pgflow/query"])


def test_what_fails_is_skipped_or_caught_materializes_nothing() -> None:
    def fails(_value: Any, ctx: StepContext) -> Any:
        ctx.materialize("never")
        raise NonRetryable("broken")

    flow = (
        Flow("f")
        .step("skipped", "echo", run_if="false", produces="skipped", consumes="x")
        .step("caught", "fails", on_failure="instead", produces="caught")
        .step("instead", "echo", depends_on="caught", produces="instead")
        .step("exhausted", "fails", when_exhausted="skip", produces="exhausted")
        .step("last", "fails", produces="last")
    )
    told = ran(flow, {"n": 1}, {"fails": fails})
    assert (told.success, told.materialized, told.observed) == (False, [("instead", None)], [])


def test_a_map_step_materializes_for_each_element_once_whatever_its_attempts_were() -> None:
    flow = (
        Flow("f", base_delay=0)
        .step("list", "give", params={"value": [1, 2, 3]})
        .map("each", "price", depends_on="list", batch_size=3, produces="raw/${$item}")
    )
    told = ran(flow, None, {"price": once_broken()})
    assert told.success
    both = [(f"{kind}/{n}", None) for n in (1, 2, 3) for kind in ("raw", "price")]
    assert told.materialized == both
    assert told.metadata["price/1"]["double"] == 2
    assert told.metadata["price/2"]["pgflow/task_index"] == 1


def test_elements_whose_failures_are_collected_materialize_nothing() -> None:
    def odd(value: int) -> int:
        if value % 2 == 0:
            raise NonRetryable("even")
        return value

    flow = (
        Flow("f")
        .step("list", "give", params={"value": [1, 2, 3]})
        .map(
            "each",
            "odd",
            depends_on="list",
            collect_errors=True,
            produces="odd",
            partition="$item",
            consumes="numbers",
        )
    )
    told = ran(flow, None, {"odd": odd})
    assert told.materialized == [("odd", "1"), ("odd", "3")]
    assert set(told.observed) == {"numbers"}


def test_steps_in_subflows_loops_and_runs_inside_materialize_as_others_do() -> None:
    inner = Flow("inner").step("make", "echo", produces="made/${$input.n}")
    flow = (
        Flow("f")
        .subflow("graph", inner, input={"n": "$input.n"})
        .step("count", "count", depends_on="graph", produces="count", consumes="made")
        .loop(
            "again",
            depends_on="count",
            back_to="count",
            condition="ctx.iteration < 2",
            max_iterations=3,
            produces="loop/${$nodes.count}",
        )
        .subflow("each", inner, over="$input.rows", input={"n": "$item"})
    )
    counted: list[int] = []

    def count(_value: Any) -> int:
        counted.append(1)
        return len(counted)

    told = ran(flow, {"n": 1, "rows": [7, 8]}, {"count": count}, [inner])
    assert told.success, told.errors
    assert sorted(told.materialized) == [
        ("count", None),
        ("count", None),
        ("loop/1", None),
        ("loop/2", None),
        ("made/1", None),
        ("made/7", None),
        ("made/8", None),
    ]


@pytest.mark.parametrize(
    ("fields", "region", "told"),
    [
        (
            {"produces": "raw/${$input.region}"},
            "a/b",
            'the value "a/b" of $input.region has a slash',
        ),
        ({"produces": "raw/${$input.region}"}, None, "$input.region is null, and no text"),
        ({"produces": "raw/${$input.region}"}, "", '"raw/" is no key'),
        ({"produces": "$input.region"}, "a\x00b", '"a\\x00b" is no key'),
        ({"produces": "$input.region"}, "x" * 10_000, "is no key"),
        ({"consumes": "raw/${$input.nowhere}"}, "eu", "$input.nowhere leads nowhere"),
        ({"produces": "raw", "partition": "$input.region"}, {}, "$input.region is an object"),
        ({"produces": "raw", "partition": "$input.region"}, "a...b", "is no partition"),
    ],
)
def test_a_key_that_cannot_be_made_fails_its_step_before_the_handler_does_anything(
    fields: Mapping[str, str], region: Any, told: str
) -> None:
    called: list[Any] = []
    flow = Flow("f").step("load", "load", **fields)  # type: ignore[arg-type]
    result = ran(flow, {"region": region}, {"load": called.append})
    [error] = result.errors
    assert told in error
    assert (called, result.materialized, "\n" in error) == ([], [], False)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda ctx: ctx.materialize(""), 'got "" as a key'),
        (lambda ctx: ctx.materialize(["raw"]), "got \"['raw']\" as a key"),
        (lambda ctx: ctx.materialize("a//b"), 'got "a//b" as a key'),
        (lambda ctx: ctx.materialize("a", partition=""), 'as the partition of "a"'),
        (lambda ctx: ctx.materialize("a", metadata=[1]), "no dict of named values"),
        (lambda ctx: ctx.materialize("a", metadata={"x": object()}), "that Dagster cannot keep"),
        (lambda ctx: ctx.materialize("a", metadata={"x": "y" * 300_000}), "larger than 256 KiB"),
        (lambda ctx: [ctx.materialize("a") for _ in range(101)], "more than 100 times"),
    ],
)
def test_what_a_handler_cannot_say_of_an_asset_fails_its_step_with_a_sentence(
    call: Callable[[StepContext], Any], told: str
) -> None:
    def handle(_value: Any, ctx: StepContext) -> None:
        call(ctx)

    result = ran(Flow("f", max_attempts=3).step("load", "load"), None, {"load": handle})
    [error] = result.errors
    assert told in error
    assert result.materialized == []


def test_handlers_reach_dagster_itself_too() -> None:
    def handle(_value: Any) -> None:
        context = dg.OpExecutionContext.get()
        context.log_event(dg.AssetMaterialization("by/hand", metadata={"rows": 2}))

    assert ran(Flow("f").step("a", "a"), None, {"a": handle}).materialized == [("by/hand", None)]


def test_a_definition_whose_keys_can_be_none_is_refused_with_all_of_its_problems() -> None:
    flow = (
        Flow("f")
        .step("a", "echo", produces=["", "a//b", "x" * 501, "${secret:key}"], partition="\n")
        .step("b", "echo", consumes=["$nodes.a"], produces="$item")
        .map("each", "echo", produces=["same", "${$item}"])
    )
    with pytest.raises(InvalidFlow) as refused:
        ensure_valid(flow)
    assert sorted((problem.code, problem.path) for problem in refused.value.problems) == [
        ("asset-of-all-elements", "steps.each.produces[0]"),
        ("invalid-asset-key", "steps.a.produces[0]"),
        ("invalid-asset-key", "steps.a.produces[1]"),
        ("invalid-asset-key", "steps.a.produces[2]"),
        ("invalid-partition", "steps.a.partition"),
        ("invalid-reference", "steps.a.produces[3]"),
        ("reference-to-no-dependency", "steps.b.consumes[0]"),
        ("reference-to-no-item", "steps.b.produces[0]"),
    ]
