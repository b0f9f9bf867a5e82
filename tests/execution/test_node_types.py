"""Built-in node types and handlers with params of their own, in real Dagster and in SQL."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from dagster._serdes import serialize_value
from pydantic import BaseModel, ConfigDict, Field

from dagster_pgflow import StepContext, handler
from dagster_pgflow.compiler.soundness import problems_of
from dagster_pgflow.errors import ConfigurationError, InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.fragment import Fragment
from dagster_pgflow.runtime.handlers import HandlerRegistry
from tests.execution.harness import gives, run
from tests.execution.projecting import World, world
from tests.unit.compiler.locations import emitter
from tests.web_service import Answer, Asked, WebService, web_service

__all__ = ["world"]

TOKEN = "s3cr3t/t0ken"


@pytest.fixture
def service() -> Iterator[WebService]:
    with web_service() as running:
        yield running


class SlackConfig(BaseModel):
    """What a user's own node type takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: str
    words: list[str] = []
    urgency: int = 1


@handler("slack", params=SlackConfig)
def slack(_value: Any, ctx: StepContext) -> list[Any]:
    """Tell a channel."""
    config: SlackConfig = ctx.params
    return [config.channel, *config.words, config.urgency]


def test_each_type_does_its_work_and_leaves_its_rows(
    world: World, service: WebService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGFLOW_SECRET_SHOP", TOKEN)
    orders = [{"id": 1, "land": "de", "cents": 5}, {"id": 2, "land": "fr", "cents": 3}, {"id": 3}]
    service.on("/orders", Answer(503, None, {"Retry-After": "0"}), Answer(200, orders))

    def kept(asked: Asked) -> Answer:
        sent = json.loads(asked.body)
        return Answer(201, {"kept": sent, "by": asked.headers["authorization"]})

    service.on("/kept", kept)
    request = {
        "url": f"{service.url}/orders",
        "allow_private": True,
        "query": {"day": "$input.day"},
    }
    keep = {
        "url": f"{service.url}/kept",
        "method": "POST",
        "headers": {"Authorization": "Bearer ${secret:SHOP}"},
        "body": {"land": "$item.group", "day": "${$input.day}!"},
        "allow_private": True,
    }
    paid = {"items": "$nodes.fetch.body", "condition": "item.cents > 0", "on_error": "drop"}
    sums = {"group_by": "land", "measures": {"sum": {"op": "sum", "of": "cents"}}}
    add = (
        "select pgflow.add_step('shop', %s, %s::text[], handler => %s, params => %s::jsonb,"
        " step_type => %s)"
    )
    world.sql("select pgflow.create_flow('shop')")
    for slug, deps, kind, params, step_type in (
        ("fetch", "{}", "http", request, "single"),
        ("paid", "{fetch}", "filter", paid, "single"),
        ("sums", "{paid}", "aggregate", sums, "single"),
        ("keep", "{sums}", "http", keep, "map"),
        ("report", "{keep}", "transform", {"expression": "$.map(k, k.body)"}, "single"),
    ):
        world.sql(add, slug, deps, f"pgflow.{kind}", json.dumps(params), step_type)
    world.run("shop", {}, {"day": "mon"})
    world.settle()

    assert world.by_path("status") == dict.fromkeys(
        ("fetch", "keep", "paid", "report", "sums"), "completed"
    )
    outputs = world.by_path("output")
    assert outputs["fetch"]["body"] == orders
    assert [order["id"] for order in outputs["paid"]] == [1, 2]
    assert outputs["sums"] == [{"group": "de", "sum": 5}, {"group": "fr", "sum": 3}]
    assert outputs["report"] == [
        {"kept": {"land": "de", "day": "mon!"}, "by": "Bearer ***"},
        {"kept": {"land": "fr", "day": "mon!"}, "by": "Bearer ***"},
    ]
    assert world.attempts("fetch") == [(0, 1, "failed"), (0, 2, "completed")]
    assert [dict(asked.query) for asked in service.asked[:2]] == [{"day": "mon"}] * 2
    sent = [asked.headers for asked in service.asked if asked.method == "POST"]
    assert [headers["authorization"] for headers in sent] == [f"Bearer {TOKEN}"] * 2
    assert len({headers["idempotency-key"] for headers in sent}) == 2
    assert_nobody_wrote(TOKEN, world)


def test_a_failure_tells_no_secret_anywhere(
    world: World, service: WebService, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setenv("PGFLOW_SECRET_SHOP", TOKEN)
    service.on("/a", lambda asked: Answer(500, f"no {dict(asked.query)} {asked.headers['x-key']}"))
    params = {
        "url": f"{service.url}/a",
        "query": {"key": "${secret:SHOP}"},
        "headers": {"X-Key": "${secret:SHOP}"},
        "allow_private": True,
    }
    wrong = {**params, "timeout": "${secret:SHOP}"}
    world.define(
        Flow("shop", max_attempts=2, base_delay=0)
        .step("fetch", "pgflow.http", params=params)
        .step("told", "pgflow.http", params=wrong)
    )
    world.run("shop", {})
    world.settle()
    row = world.one("runs")
    assert row["status"] == "failed"
    told = world.one("step_states", "step_path = 'fetch'")["error_message"]
    assert told.endswith("what it said is not shown, since a secret was sent.")
    assert len(service.asked) == 2
    assert_nobody_wrote(TOKEN, world)
    written = capfd.readouterr()
    assert TOKEN not in written.out + written.err


def assert_nobody_wrote(secret: str, world: World) -> None:
    """Looks for a secret in all tables, and in all that Dagster keeps."""
    tables = world.sql.column(
        "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'pgflow'"
    )
    for table in tables:
        assert secret not in str(world.sql(f"select t::text from {table} as t")), table
    for record in world.instance.get_run_records():
        events = world.instance.all_logs(record.dagster_run.run_id)
        assert len(events) > 5
        for event in events:
            assert secret not in serialize_value(event)
        assert secret not in serialize_value(record.dagster_run)


def test_params_of_any_handler_are_a_template() -> None:
    def tell(_value: Any, ctx: StepContext) -> Any:
        return ctx.params

    params = {"n": "$nodes.a.n", "who": "Dear ${$input.who}", "cost": "$5", "as": "$$input"}
    flow = (
        Flow("f")
        .step("a", **gives({"n": [1, None]}))
        .step("b", "tell", params=params, depends_on="a")
        .step("list", **gives([{"k": 1}, {"k": 2}]))
        .map("m", "tell", params={"k": "$item.k", "who": "$input.who"}, depends_on="list")
    )
    outputs = run(flow, {"who": "Ada"}, handlers={"tell": tell}).outputs
    assert outputs["b"] == {"n": [1, None], "who": "Dear Ada", "cost": "$5", "as": "$input"}
    assert outputs["m"] == [{"k": 1, "who": "Ada"}, {"k": 2, "who": "Ada"}]


def test_params_refer_to_the_input_of_the_flow_that_the_step_belongs_to() -> None:
    inner = Flow("inner").step("x", "pgflow.transform", params={"expression": "flow_input.n + 1"})
    inner = inner.step("y", "slack", params={"channel": "$input.c"}, depends_on="x")
    outer = Flow("outer").subflow("s", inner, input={"n": 4, "c": "$input.channel"})
    result = run(outer, {"channel": "#a"}, others=[inner], handlers={"slack": slack})
    assert result.outputs == {"s.x": 5, "s.y": ["#a", 1]}


def test_a_reference_that_leads_nowhere_fails_the_step_at_once() -> None:
    flow = Flow("f").step("a", **gives({"n": 1}))
    flow = flow.step("b", "slack", params={"channel": "$nodes.a.x"}, depends_on="a")
    result = run(flow, {}, handlers={"slack": slack})
    assert result.retries == {}
    assert result.error == (
        'Step "b" has params that cannot be put together: steps.b.params.channel: $nodes.a.x leads'
        " nowhere: $nodes.a has the keys n."
    )


def test_a_skipped_dependency_is_no_value() -> None:
    flow = Flow("f").step("a", "echo", run_if="false")
    flow = flow.step("b", "slack", params={"channel": "$nodes.a"}, depends_on="a")
    assert (
        "only these steps have an output here: none"
        in run(flow, {}, handlers={"slack": slack}).error
    )


def test_a_handler_gets_its_params_as_what_it_takes() -> None:
    flow = Flow("f").step("a", "slack", params={"channel": "#a", "words": ["$input", "x"]})
    assert run(flow, "hi", handlers={"slack": slack}).outputs == {"a": ["#a", "hi", "x", 1]}


def test_values_that_a_handler_does_not_take_fail_the_step_at_once() -> None:
    flow = Flow("f").step("a", "slack", params={"channel": "$input.c", "urgency": "$input.u"})
    assert run(flow, {"c": 5, "u": "high"}, handlers={"slack": slack}).error == (
        'Step "a" has params that its handler cannot take: steps.a.params.channel: Input should be'
        " a valid string; steps.a.params.urgency: Input should be a valid integer, unable to parse"
        " string as an integer."
    )


def test_a_flow_with_params_that_a_handler_does_not_take_says_so_when_it_is_loaded() -> None:
    inner = Flow("inner").step("a", "slack", params={"chanel": "$input.c", "urgency": "high"})
    flow = Flow("f").subflow("s", inner)
    job = emitter([flow, inner], {"slack": slack}).job("f", {})
    assert job.description is not None
    for told in (
        'inner.steps.a.params.channel: slack needs "channel"; add it to the params.',
        'inner.steps.a.params.chanel: slack takes no param "chanel"; "channel" may be meant.',
        "inner.steps.a.params.urgency: Input should be a valid integer, unable to parse string",
    ):
        assert told in job.description


def test_a_node_type_with_a_bad_config_makes_the_job_say_so() -> None:
    job = emitter([Flow("f").step("a", "pgflow.http"), Flow("g").step("a", "pgflow.no")])
    assert "steps.a.params.url: pgflow.http needs" in (job.job("f", {}).description or "")
    assert 'There is no node type "pgflow.no"' in (job.job("g", {}).description or "")


def test_a_flow_called_pgflow_has_no_node_type_by_accident() -> None:
    assert "has no handler" in run(Flow("pgflow").step("http"), {}).error
    own = {"http": lambda _value: "mine"}
    assert run(Flow("pgflow").step("http"), {}, handlers=own).outputs == {"http": "mine"}


def test_a_fragment_called_pgflow_has_none_either() -> None:
    with pytest.raises(InvalidFlow, match="reserved for built-in node types"):
        Flow("f").include(Fragment("pgflow").step("http"), "x")


def test_no_handler_of_ones_own_begins_like_a_node_type_that_there_is_not() -> None:
    with pytest.raises(ConfigurationError, match=r'let it not begin with "pgflow\."'):
        HandlerRegistry.collect([{"pgflow.htpp": lambda value: value}])


class OwnFilter(BaseModel):
    """What somebody's own filter asks of its params."""

    condition: str = Field(pattern="^item")


@handler("pgflow.filter", params=OwnFilter)
def own_filter(rows: list[int], ctx: StepContext) -> list[int]:
    """Keep the rows that are named."""
    return [row for row in rows if str(row) in ctx.params.condition]


def test_a_handler_takes_the_place_of_a_built_in_node_type() -> None:
    flow = Flow("f").step("a", handler="pgflow.filter", params={"condition": "item in [1, 3]"})
    assert run(flow, [1, 2, 3], handlers={"pgflow.filter": own_filter}).outputs["a"] == [1, 3]
    assert run(flow, [1, 2, 3]).outputs["a"] == [1, 3]


def test_what_it_asks_of_its_params_is_told_before_a_run() -> None:
    flow = Flow("f").step("a", handler="pgflow.filter", params={"condition": "1 == 1"})
    own = HandlerRegistry.collect([own_filter])
    [problem] = problems_of(flow, {"f": flow}, own)
    assert problem.path == "steps.a.params.condition"
    assert problems_of(flow, {"f": flow}, HandlerRegistry()) == ()


def test_a_step_of_a_fragment_keeps_its_references_and_names() -> None:
    fragment = (
        Fragment("sum_up", exits={"done": "told"})
        .step("pick", "pgflow.transform", params={"expression": "deps.source.n + $.n"})
        .step(
            "told",
            "slack",
            params={"channel": "#${$nodes.pick}", "words": ["$nodes.pick"]},
            depends_on="pick",
        )
    )
    flow = Flow("f").step("a", **gives({"n": 2}))
    for prefix in ("x", "y"):
        flow = flow.include(fragment, prefix, depends_on={"source": "a"}, exits={"done": ()})

    def words(_value: Any, ctx: StepContext) -> Any:
        return [ctx.params["channel"], ctx.params["words"]]

    outputs = run(flow, {}, handlers={"slack": words}).outputs
    assert outputs["x_told"] == outputs["y_told"] == ["#4", [4]]


def test_branches_with_handlers_have_params_too() -> None:
    flow = (
        Flow("f")
        .step("a", **gives({"score": 81}))
        .branch(
            "b",
            rules=[("$.total > 80", "vip")],
            default_path="other",
            handler="pgflow.transform",
            params={"expression": {"total": "$.score + flow_input.more"}},
            depends_on="a",
        )
        .step("vip", "slack", params={"channel": "#${$nodes.b.total}"}, depends_on="b")
        .step("other", "echo", depends_on="b")
    )
    assert run(flow, {"more": 1}, handlers={"slack": slack}).outputs["vip"] == ["#82", 1]
    assert run(flow, {"more": -1}, handlers={"slack": slack}).skips == {"vip": "not_taken"}
