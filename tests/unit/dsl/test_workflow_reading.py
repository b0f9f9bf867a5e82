"""Workflow documents as flows: what each node, edge and setting becomes."""

from typing import Any

import pytest
import yaml

from dagster_pgflow import Flow, read_workflow
from dagster_pgflow.dsl.workflow_json import is_workflow
from dagster_pgflow.model.graph import by_slug, leaves
from dagster_pgflow.model.options import StepOptions
from dagster_pgflow.model.steps import BranchStep, JoinStep, LoopStep, SingleStep, Step
from tests.workflow_documents import FOLDER, NAMES, document

X_TO_B = {"condition": "x", "next_nodes": ["b"]}


def of_nodes(*nodes: dict[str, Any], edges: str = "") -> dict[str, Step]:
    """Returns the steps of a document; edges are written `a>b a>c`."""
    pairs = [edge.split(">") for edge in edges.split()]
    written = [{"from": before, "to": behind} for before, behind in pairs]
    return by_slug(read_workflow({"nodes": list(nodes), "edges": written}, slug="f"))


def node(id: str, kind: str = "function", **fields: Any) -> dict[str, Any]:
    return {"id": id, "type": kind, **fields}


def test_a_sequence_is_a_chain_of_single_steps() -> None:
    assert read_workflow(document("sequence")) == Flow(
        "parcel_label", description="Weigh, price and label a parcel.", base_delay=1
    ).step("weigh", "parcels.weigh", params={"unit": "kg"}).step(
        "price", "parcels.price", depends_on="weigh", timeout=5
    ).step(
        "label",
        "parcels.label",
        params={"sender": "Depot ${$input.depot}"},
        depends_on="price",
        max_attempts=5,
    )


def test_parallel_arms_meet_in_a_step_that_depends_on_both() -> None:
    flow = read_workflow(document("parallel"))
    assert flow == Flow(
        "route_compare",
        base_delay=1,
        tags={"routes": "", "team": "planning", "version": "1.2.0"},
    ).step("request", "routes.request").branch(
        "both", rules=[("true", ["by_road", "by_rail"])], depends_on="request"
    ).step("by_road", "routes.by_road", depends_on="both").step(
        "by_rail", "routes.by_rail", depends_on="both"
    ).step("choose", "routes.choose", depends_on=["by_road", "by_rail"])


def test_a_join_waits_for_all_unless_it_says_otherwise() -> None:
    flow = read_workflow(document("fan_in"))
    assert by_slug(flow)["all_counted"] == JoinStep(
        slug="all_counted", depends_on=("north", "south", "harbour")
    )


@pytest.mark.parametrize("kind", ["join", "parallel"])
@pytest.mark.parametrize(
    ("config", "wait"),
    [
        ({"wait": "any"}, "any"),
        ({"wait": 2}, 2),
        ({"wait": 2.0}, 2),
        ({"wait_for_all": True}, "all"),
        ({"wait_for_all": False}, "any"),
    ],
)
def test_a_node_that_says_how_many_it_waits_for_is_a_join(
    kind: str, config: dict[str, Any], wait: str | int
) -> None:
    steps = of_nodes(node("a"), node("b"), node("j", kind, config=config), edges="a>j b>j")
    assert steps["j"] == JoinStep(slug="j", depends_on=("a", "b"), wait=wait)


def test_conditions_of_edges_are_the_rules_of_a_branch() -> None:
    steps = by_slug(read_workflow(document("branch")))
    decide = steps["decide"]
    assert isinstance(decide, BranchStep)
    assert [(rule.when, rule.then) for rule in decide.rules] == [
        ("output.score > 80", ("grant", "thank")),
        ("$.score > 40", ("examine",)),
    ]
    assert (decide.default_path, decide.handler) == (("refuse",), None)
    assert steps["thank"].depends_on == ("decide",)


def test_a_loop_is_read_from_the_config_and_its_way_back_is_no_dependency() -> None:
    flow = read_workflow(document("loop"))
    steps = by_slug(flow)
    assert steps["again"] == LoopStep(
        slug="again",
        depends_on=("judge",),
        back_to="write",
        condition="output.score < 0.8",
        max_iterations=4,
        break_path=("print",),
        timeout_path=("discard",),
    )
    assert steps["write"].depends_on == ("topic",)


def test_the_exits_of_a_loop_wait_for_it_and_are_ends_without_any_edge() -> None:
    flow = read_workflow(document("loop"))
    assert [step.slug for step in flow.steps if not step.depends_on] == ["topic"]
    assert [step.slug for step in leaves(flow)] == ["print", "discard"]


def test_the_legacy_form_says_loops_and_branches_at_any_node() -> None:
    steps = by_slug(read_workflow(document("legacy"), slug="cooling"))
    measure, cool = steps["measure"], steps["cool"]
    assert isinstance(measure, BranchStep)
    assert isinstance(cool, LoopStep)
    assert (measure.handler, measure.params) == ("measure", {"config_ref": "cas://4f1c"})
    assert (measure.targets, measure.default_path) == (("cool", "store"), ("store",))
    assert (cool.handler, cool.condition) == ("cool", "!(output.celsius <= 25)")
    assert steps["store"].depends_on == ("measure", "cool")
    assert steps["alarm"].depends_on == ("cool",)


@pytest.mark.parametrize("name", NAMES)
def test_json_yaml_and_objects_are_read_alike(name: str) -> None:
    flow = read_workflow(document(name), slug=name)
    assert read_workflow((FOLDER / f"{name}.json").read_text(), slug=name) == flow
    assert read_workflow(yaml.safe_dump(document(name), sort_keys=False), slug=name) == flow


@pytest.mark.parametrize(
    ("kind", "config", "handler", "params"),
    [
        ("function", {"handler": "a.b", "x": 1}, "a.b", {"x": 1}),
        ("function", {"function": "a.b", "params": {"x": 1}}, "a.b", {"x": 1}),
        ("function", {"function_name": "a.b", "y": 2, "params": {"x": 1}}, "a.b", {"y": 2, "x": 1}),
        ("function", {"params": [1]}, None, {"params": [1]}),
        ("function", {}, None, {}),
        ("task", {"x": 1}, None, {"x": 1}),
        ("agent", {"task": "sum up"}, "agent", {"task": "sum up"}),
        ("agent", {"handler": "a.b", "task": "sum up"}, "a.b", {"task": "sum up"}),
        ("http", {"url": "https://e.org"}, "pgflow.http", {"url": "https://e.org"}),
        ("transform", {"expression": "input"}, "pgflow.transform", {"expression": "input"}),
    ],
)
def test_the_config_names_the_handler_and_its_params(
    kind: str, config: dict[str, Any], handler: str | None, params: dict[str, Any]
) -> None:
    [step] = of_nodes(node("a", kind, config=config)).values()
    assert step == SingleStep(slug="a", handler=handler, params=params)


@pytest.mark.parametrize(
    ("kind", "config", "handler"),
    [
        ("function", {}, "a"),
        ("function", {"handler": "score"}, "score"),
        ("http", {"url": "https://e.org"}, "pgflow.http"),
        ("conditional", {}, None),
        ("conditional", {"handler": "score"}, "score"),
        ("parallel", {}, None),
    ],
)
def test_any_node_with_conditions_on_its_edges_is_a_branch(
    kind: str, config: dict[str, Any], handler: str | None
) -> None:
    edge = {"from": "a", "to": "b", "condition": "output.ok"}
    given = {"nodes": [node("a", kind, config=config), node("b")], "edges": [edge]}
    step = by_slug(read_workflow(given, slug="f"))["a"]
    assert isinstance(step, BranchStep)
    assert (step.rules[0].when, step.rules[0].then) == ("output.ok", ("b",))
    assert step.handler == handler


@pytest.mark.parametrize(
    ("config", "conditions", "rules", "default"),
    [
        ({}, ["x", "default"], [("x", "b")], "c"),
        ({}, ["x", None], [("x", "b")], "c"),
        ({}, ["x", ""], [("x", "b")], "c"),
        ({}, ["x", "x"], [("x", "bc")], ""),
        ({}, ["x", "true"], [("x", "b"), ("true", "c")], ""),
        ({"condition": "x"}, ["true", "false"], [("x", "b")], "c"),
        ({"condition": "x"}, ["if", "else"], [("x", "b")], "c"),
        ({"condition": "x"}, ["default", "if"], [("x", "c")], "b"),
        ({"rules": [X_TO_B]}, [None, None], [("x", "b")], "c"),
        ({"rules": [X_TO_B]}, ["x", "y"], [("x", "b"), ("y", "c")], ""),
        ({"rules": [X_TO_B], "default": []}, [None, None], [("x", "b")], ""),
        ({"default": ["c"]}, ["x", None], [("x", "b")], "c"),
        ({"default": []}, ["x", None], [("x", "b")], ""),
    ],
)  # fmt: skip
def test_rules_come_from_edges_in_their_order_and_from_the_config(
    config: dict[str, Any], conditions: list[str | None], rules: list[tuple[str, str]], default: str
) -> None:
    config, edges = _with_real_conditions(config, conditions)
    nodes = [node("a", "conditional", config=config), node("b"), node("c")]
    step = by_slug(read_workflow({"nodes": nodes, "edges": edges}, slug="f"))["a"]
    assert isinstance(step, BranchStep)
    found = [(rule.when.removeprefix("output."), "".join(rule.then)) for rule in step.rules]
    assert found == rules
    assert "".join(step.default_path) == default


def _with_real_conditions(config: dict[str, Any], conditions: list[str | None]) -> Any:
    """Writes `output.x` for x, so that the conditions can be compiled."""

    def real(text: Any) -> Any:
        return f"output.{text}" if text in ("x", "y") else text

    edges = [
        {"from": "a", "to": to, "condition": real(text)}
        for to, text in zip("bc", conditions, strict=True)
    ]
    rules = [{**rule, "condition": real(rule["condition"])} for rule in config.get("rules", [])]
    whole = {**config, **({"rules": rules} if rules else {})}
    if "condition" in whole:
        whole["condition"] = real(whole["condition"])
    return whole, edges


def test_targets_of_rules_wait_for_the_branch_without_any_edge() -> None:
    rules = [{"condition": "output.x", "next_nodes": ["b"]}]
    steps = of_nodes(node("a", branch={"rules": rules, "default": ["c"]}), node("b"), node("c"))
    assert steps["b"].depends_on == steps["c"].depends_on == ("a",)


def test_a_loop_without_a_condition_runs_as_often_as_it_may() -> None:
    loop = {"max_iterations": 3, "loop_back_to": "a"}
    step = of_nodes(node("a", "loop", config=loop))["a"]
    assert isinstance(step, LoopStep)
    assert (step.condition, step.handler, step.params) == ("true", None, {})


@pytest.mark.parametrize("field", ["loop", "branch"])
def test_what_is_switched_off_is_not_there(field: str) -> None:
    rest = {"max_iterations": 3, "loop_back_to": "a"} if field == "loop" else {}
    given: dict[str, Any] = {field: {"enabled": False, **rest}}
    assert isinstance(of_nodes(node("a", **given))["a"], SingleStep)


def test_null_is_as_good_as_nothing() -> None:
    fields = ("config", "config_ref", "timeout_ms", "retry", "loop", "branch", "wait_for_all")
    assert of_nodes({"id": "a", "type": "function", **dict.fromkeys(fields)})["a"] == SingleStep(
        slug="a"
    )


@pytest.mark.parametrize(
    ("timeout_ms", "options"),
    [
        (0, StepOptions()),
        (1, StepOptions(timeout_ms=1)),
        (1000, StepOptions(timeout=1)),
        (1001, StepOptions(timeout_ms=1001)),
        (60_000, StepOptions()),
        (86_400_000, StepOptions(timeout=86_400)),
    ],
)
def test_a_timeout_is_in_seconds_where_they_are_whole(
    timeout_ms: int, options: StepOptions
) -> None:
    assert of_nodes(node("a", timeout_ms=timeout_ms))["a"].options == options


@pytest.mark.parametrize(
    ("retry", "max_attempts", "base_delay"),
    [
        ({}, None, None),
        ({"max_attempts": 3, "backoff_ms": 1000, "backoff_multiplier": 2}, None, None),
        ({"max_attempts": 10}, 10, None),
        ({"backoff_ms": 0}, None, 0),
        ({"backoff_ms": 500}, None, None),
        ({"backoff_ms": 2001}, None, 2),
        ({"backoff_ms": 10_000}, None, 5),
        ({"max_attempts": 2, "backoff_multiplier": 1.5}, 2, None),
        ({"backoff_ms": 0, "backoff_multiplier": 3.0}, None, 0),
    ],
)
def test_the_first_wait_is_the_backoff(
    retry: dict[str, Any], max_attempts: int | None, base_delay: int | None
) -> None:
    options = of_nodes(node("a", retry=retry))["a"].options
    assert (options.max_attempts, options.base_delay) == (max_attempts, base_delay)


@pytest.mark.parametrize(
    ("outside", "slug"),
    [
        ({"metadata": {"name": "Simple Data Processing"}}, "simple_data_processing"),
        ({"metadata": {"name": "keepCase_1"}}, "keepCase_1"),
        ({"metadata": {"name": "Größe — 2. Lauf!"}}, "groe_2_lauf"),
        ({"metadata": {"name": "2 steps"}}, "_2_steps"),
        ({"metadata": {"name": "run"}}, "run_"),
        ({"name": "From outside"}, "from_outside"),
        ({"metadata": {}}, "my_file"),
        ({"metadata": None}, "my_file"),
    ],
)
def test_the_name_becomes_the_slug(outside: dict[str, Any], slug: str) -> None:
    given = {"nodes": [node("a")], "edges": [], **outside}
    assert read_workflow(given, slug="my file").slug == slug


def test_metadata_that_nobody_knows_is_left_out_and_versions_may_be_numbers() -> None:
    metadata = {"name": "f", "author": "me", "version": 2.0, "tags": ["team=a=b", "nightly"]}
    flow = read_workflow({"nodes": [node("a", name="Say hello")], "metadata": metadata})
    assert flow.tags == {"team": "a=b", "nightly": "", "version": "2.0"}
    assert flow.steps[0].description == "Say hello"


@pytest.mark.parametrize(
    ("document", "is_one"),
    [
        ({"nodes": [], "edges": []}, True),
        ({"edges": []}, True),
        ({"slug": "f", "steps": []}, False),
        ({"slug": "f"}, False),
        ([], False),
        ("nodes", False),
    ],
)
def test_a_workflow_is_recognised_by_its_shape(document: Any, *, is_one: bool) -> None:
    assert is_workflow(document) is is_one
