from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_pgflow.errors import InvalidFlow, StoreRefused, UnknownFlow, UnknownVersion
from dagster_pgflow.model.differences import differences
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import MapStep, SingleStep, SubflowStep
from dagster_pgflow.step_errors import ValueNotJson
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.requests import Requests
from tests.drawn_flows import flows
from tests.postgres import Session

NUMBERS = st.sampled_from([0, 1, 1.0, -0.0, 0.0, 1e22, 10**22, 1e-7, True])


def test_a_flow_is_built_step_by_step(builder: FlowBuilder) -> None:
    assert builder.create_flow("ai_workflow", timeout=30) == Flow("ai_workflow", timeout=30)
    fetch = builder.add_step("ai_workflow", "fetch")
    process = builder.add_step(
        "ai_workflow",
        "process",
        ["fetch", "fetch"],
        step_type="map",
        handler="ai.process",
        params={"model": "small"},
        batch_size=10,
        max_attempts=2,
        if_={"ok": True},
        run_if="size(output) > 0",
        when_unmet="skip-cascade",
    )
    save = builder.add_step("ai_workflow", "save", ["process"], description="Keeps it")

    expected = (
        Flow("ai_workflow", timeout=30)
        .step("fetch")
        .map(
            "process",
            "ai.process",
            params={"model": "small"},
            depends_on="fetch",
            batch_size=10,
            max_attempts=2,
            if_={"ok": True},
            run_if="size(output) > 0",
            when_unmet="skip-cascade",
        )
        .step("save", depends_on="process", description="Keeps it")
    )
    assert (fetch, process, save) == expected.steps
    assert builder.get_flow("ai_workflow") == expected


def test_creating_an_existing_flow_returns_it_with_its_steps(builder: FlowBuilder) -> None:
    builder.create_flow("f", max_attempts=9)
    builder.add_step("f", "a")
    assert builder.create_flow("f", max_attempts=1) == Flow("f", max_attempts=9).step("a")


def test_a_subflow_step_names_its_flow(builder: FlowBuilder) -> None:
    builder.create_flow("child")
    builder.create_flow("f")
    step = builder.add_step("f", "a", step_type="subflow", flow="child")
    assert step == SubflowStep(slug="a", flow="child")
    assert builder.get_flow("f").steps == (step,)


def test_a_step_whose_expression_is_none_is_not_added(builder: FlowBuilder) -> None:
    builder.create_flow("f")
    with pytest.raises(InvalidFlow, match=r"steps.a.run_if: `inptu.n > 1` is not a condition"):
        builder.add_step("f", "a", run_if="inptu.n > 1")
    assert builder.get_flow("f").steps == ()


def test_a_step_is_refused_in_the_words_of_a_whole_definition(builder: FlowBuilder) -> None:
    with pytest.raises(InvalidFlow, match='"1st" is not a valid flow slug'):
        builder.create_flow("1st")
    builder.create_flow("f")
    builder.add_step("f", "a")
    builder.add_step("f", "b")
    expected = 'Map step "m" can have at most one dependency, but 2 were provided: a, b'
    with pytest.raises(InvalidFlow, match=expected):
        builder.add_step("f", "m", ["a", "b"], step_type="map")
    with pytest.raises(InvalidFlow, match='depends on "nope", which is not a step of this flow'):
        builder.add_step("f", "c", ["nope"])
    with pytest.raises(InvalidFlow, match="differs in: handler"):
        builder.add_step("f", "a", handler="other")
    with pytest.raises(InvalidFlow, match="timeout is 0; it must be from 1"):
        builder.add_step("f", "c", timeout=0)


def test_a_flow_is_created_with_all_that_it_has_besides_steps(builder: FlowBuilder) -> None:
    wanted = Flow(
        "f",
        description="Takes orders",
        tags={"team": "shop"},
        input_schema={"type": "object"},
        output_schema=list[int],
        max_attempts=1,
        base_delay=2,
        timeout=4,
        max_delay=8,
        jitter="full",
    )
    created = builder.create_flow(
        "f",
        description="Takes orders",
        tags={"team": "shop"},
        input_schema={"type": "object"},
        output_schema=list[int],
        max_attempts=1,
        base_delay=2,
        timeout=4,
        max_delay=8,
        jitter="full",
    )
    assert created == wanted
    assert builder.create_flow("f", description="Something else") == wanted
    builder.define_flow(Flow("f").step("a"))
    builder.define_flow(wanted)
    assert builder.get_flow("f") == wanted


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {"retries": 3},
            r'.create_flow\(\) has no argument "retries"; "max_attempts" may be meant',
        ),
        ({"steps": []}, r'.create_flow\(\) has no argument "steps"; there are: max_attempts'),
        ({"max_attempts": "x"}, "max_attempts is 'x'; it must be a whole number"),
        ({"input_schema": {"type": "objekt"}}, "This is not a JSON Schema"),
    ],
)
def test_a_flow_of_the_wrong_shape_is_not_created(
    builder: FlowBuilder, fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidFlow, match=told):
        builder.create_flow("f", **fields)
    assert builder.list_flows() == ()


def test_a_step_of_the_wrong_shape_is_an_invalid_flow(builder: FlowBuilder) -> None:
    builder.create_flow("f")
    wrong: dict[str, Any] = {"step_type": "mop", "max_attempts": "x"}
    with pytest.raises(InvalidFlow, match="is not a type of step"):
        builder.add_step("f", "a", **wrong)
    unknown: dict[str, Any] = {"retries": 3}
    with pytest.raises(InvalidFlow, match=r"steps\.0\.retries"):
        builder.add_step("f", "a", **unknown)


def test_unknown_flows_are_named(builder: FlowBuilder) -> None:
    for act in (
        lambda: builder.get_flow("nope"),
        lambda: builder.add_step("nope", "a"),
        lambda: builder.delete_flow("nope"),
    ):
        with pytest.raises(UnknownFlow, match='no flow "nope"') as caught:
            act()
        assert caught.value.flow_slug == "nope"


def test_values_that_are_no_json_are_refused(builder: FlowBuilder) -> None:
    builder.create_flow("f")
    with pytest.raises(ValueNotJson, match='params of step "a"'):
        builder.add_step("f", "a", params={"when": object()})
    with pytest.raises(InvalidFlow, match="value-beyond-limits"):
        builder.define_flow(Flow("f").step("a", params={"x": float("nan")}))


@pytest.mark.parametrize("text", ["a\0b", "half \ud800"])
def test_text_that_postgres_cannot_store_is_refused(builder: FlowBuilder, text: str) -> None:
    with pytest.raises(StoreRefused):
        builder.define_flow(Flow("f").step("a", params={"x": text}))
    with pytest.raises(StoreRefused):
        builder.get_flow(text)
    assert builder.list_flows() == ()


def test_flows_are_listed_by_slug(builder: FlowBuilder) -> None:
    builder.define_flow(Flow("b", description="Second").step("a").step("c"))
    builder.create_flow("a")
    builder.create_flow("B")
    builder.add_step("a", "x")
    listed = builder.list_flows()
    assert [(one.slug, one.version, one.steps, one.description) for one in listed] == [
        ("B", 1, 0, ""),
        ("a", 2, 1, ""),
        ("b", 1, 2, "Second"),
    ]
    assert listed[1].changed_at > listed[1].created_at
    assert [one.version_id for one in listed] == [3, 4, 1]


def test_a_flow_is_deleted(builder: FlowBuilder, requests: Requests) -> None:
    builder.define_flow(Flow("f").step("a"))
    requests.start("f", {})
    with pytest.raises(StoreRefused, match='"f" has 1 run under way'):
        builder.delete_flow("f")
    builder.delete_flow("f", force=True)
    assert builder.list_flows() == ()


def test_a_whole_flow_replaces_what_was_there(builder: FlowBuilder) -> None:
    first = (
        Flow("f", description="One").step("a").step("b", depends_on="a").schedule("s", "0 2 * * *")
    )
    assert builder.define_flow(first) == 1
    second = Flow("f").map("b").step("a", depends_on="b")
    assert builder.define_flow(second) == 2
    assert builder.get_flow("f") == second


def test_an_unchanged_flow_gets_no_new_version_and_is_not_touched(
    builder: FlowBuilder, sql: Session
) -> None:
    flow = Flow("f", max_attempts=3).step("a", params={"x": [1, True, None]})
    assert builder.define_flow(flow) == 1
    before = sql("select xmin::text from pgflow.steps")
    assert builder.define_flow(flow) == 1
    assert builder.define_flow(Flow("f", timeout=60).step("a", params={"x": [1, True, None]})) == 1
    assert sql("select xmin::text from pgflow.steps") == before


def test_true_and_one_are_different_content(builder: FlowBuilder) -> None:
    assert builder.define_flow(Flow("f").step("a", params={"x": 1})) == 1
    assert builder.define_flow(Flow("f").step("a", params={"x": True})) == 2
    assert builder.get_flow("f").steps[0] == SingleStep(slug="a", params={"x": True})


def test_steps_may_be_written_in_any_order_and_are_stored_behind_their_dependencies(
    builder: FlowBuilder,
) -> None:
    flow = (
        Flow("f")
        .step("last", depends_on=["m", "m", "b"])
        .step("z")
        .map("m", depends_on="b")
        .step("b", depends_on="z")
    )
    builder.define_flow(flow)
    stored = builder.get_flow("f")
    assert [(step.slug, step.depends_on) for step in stored.steps] == [
        ("z", ()),
        ("b", ("z",)),
        ("m", ("b",)),
        ("last", ("m", "b")),
    ]
    assert builder.define_flow(flow) == 1


def test_an_invalid_flow_is_refused_with_all_problems_and_changes_nothing(
    builder: FlowBuilder,
) -> None:
    good = Flow("f").step("a")
    builder.define_flow(good)
    bad = (
        Flow("f")
        .step("run")
        .step("a", depends_on="b")
        .step("b", depends_on="a")
        .step("c", depends_on="nope")
        .map("m", depends_on=["a", "b"])
        .subflow("s", "missing")
        .schedule("x", "whenever")
    )
    with pytest.raises(InvalidFlow) as caught:
        builder.define_flow(bad)
    assert {problem.code for problem in caught.value.problems} == {
        "invalid-slug",
        "dependency-cycle",
        "unknown-dependency",
        "map-with-many-dependencies",
        "unknown-subflow",
        "invalid-cron",
    }
    assert builder.get_flow("f") == good


def test_flows_that_contain_each_other_are_defined_together_in_any_order(
    builder: FlowBuilder,
) -> None:
    order = Flow("order").subflow("pay", "payment")
    payment = Flow("payment").step("charge")
    assert builder.define_flows([order, payment]) == {"order": 1, "payment": 1}
    assert builder.get_flow("order") == order


def test_of_several_flows_all_or_none_is_stored(builder: FlowBuilder) -> None:
    with pytest.raises(InvalidFlow) as caught:
        builder.define_flows([Flow("good").step("a"), Flow("bad").step("1st")])
    assert [problem.path for problem in caught.value.problems] == ["bad.steps.1st"]
    with pytest.raises(InvalidFlow, match='Two of the flows are called "f"'):
        builder.define_flows([Flow("f"), Flow("f")])
    assert builder.list_flows() == ()


def test_a_subflow_cycle_over_stored_flows_is_refused(builder: FlowBuilder) -> None:
    builder.define_flow(Flow("c").step("a"))
    builder.define_flow(Flow("b").subflow("s", "c"))
    builder.define_flow(Flow("a").subflow("s", "b"))
    with pytest.raises(InvalidFlow, match="recursive-subflow"):
        builder.define_flow(Flow("c").subflow("s", "a"))


def test_a_stored_flow_can_be_broken_by_a_new_subflow_no_more_than_by_sql(
    builder: FlowBuilder, sql: Session
) -> None:
    builder.define_flow(Flow("child").map("m"))
    builder.define_flow(Flow("f").subflow("s", "child"))
    builder.define_flow(Flow("child").map("m").step("after", depends_on="m"))
    assert [type(step) for step in builder.get_flow("child").steps] == [MapStep, SingleStep]
    assert sql.value("select count(*) from pgflow.flow_versions") == 4


def test_the_time_of_creation_survives_a_new_definition(builder: FlowBuilder, sql: Session) -> None:
    builder.define_flow(Flow("f").step("a"))
    created = sql.value("select created_at from pgflow.flows")
    builder.define_flow(Flow("f").step("b"))
    assert sql.value("select created_at from pgflow.flows") == created


def test_versions_of_a_flow_can_be_read(builder: FlowBuilder) -> None:
    first, second = Flow("f").step("a"), Flow("f").step("b")
    builder.define_flow(first)
    builder.define_flow(second)
    assert (builder.get_flow("f", 1), builder.get_flow("f", 2)) == (first, second)
    with pytest.raises(UnknownVersion, match='"f" has no version 3, or was deleted'):
        builder.get_flow("f", 3)
    with pytest.raises(UnknownFlow, match='no flow "nope"'):
        builder.get_flow("nope", 1)
    builder.delete_flow("f")
    assert builder.get_flow("f", 1) == first
    with pytest.raises(UnknownVersion, match="or was deleted by it"):
        builder.get_flow("f", 3)


@settings(
    max_examples=40,
)
@given(before=flows(values=NUMBERS), after=flows(values=NUMBERS))
def test_a_flow_gets_a_version_just_when_it_differs(
    builder: FlowBuilder, before: Flow, after: Flow
) -> None:
    builder.create_flow("child")
    version = builder.define_flow(before)
    assert (builder.define_flow(after) == version) == (differences(before, after) == ())


def test_a_step_is_refused_with_all_its_problems_and_with_none_of_older_ones(
    builder: FlowBuilder, sql: Session
) -> None:
    builder.define_flow(Flow("f").step("a"))
    sql("update pgflow.steps set run_if = '1 +' where flow_slug = 'f'")
    with pytest.raises(InvalidFlow) as caught:
        builder.add_step("f", "m", ["a", "nope"], step_type="map", run_if="2 +", timeout=0)
    assert [(problem.code, problem.path) for problem in caught.value.problems] == [
        ("unknown-dependency", "steps.m.depends_on"),
        ("map-with-many-dependencies", "steps.m.depends_on"),
        ("invalid-expression", "steps.m.run_if"),
        ("option-out-of-range", "steps.m.options.timeout"),
    ]
    assert sql.value("select count(*) from pgflow.steps") == 1


def test_what_only_sql_finds_is_a_problem_too(builder: FlowBuilder) -> None:
    builder.define_flow(Flow("f").step("a"))
    with pytest.raises(InvalidFlow) as caught:
        builder.add_step("f", "b", step_type="branch", rules=[{"when": "true", "then": ["run"]}])
    [problem] = caught.value.problems
    assert (problem.code, problem.path) == ("invalid-slug", "steps.b")
