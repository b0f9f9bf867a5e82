"""The rules of definitions are the same, whichever way a definition comes in."""

from itertools import pairwise
from typing import Any

import psycopg2
import psycopg2.errors
import pytest
from hypothesis import given, settings

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import Step
from dagster_pgflow.model.steps.loop import MOST_ITERATIONS
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.validation.validate import validate
from tests.drawn_flows import flows
from tests.postgres import Session
from tests.sql_work import CountingDatabase, without_statistics
from tests.store.problem_codes import assert_same_code
from tests.store.sql_definitions import refusal_step_by_step

GivenStep = tuple[str, list[str], dict[str, Any]]

MAP = {"step_type": "map"}
SUBFLOW: dict[str, Any] = {"step_type": "subflow", "flow": "child"}
JOIN: dict[str, Any] = {"step_type": "join"}
LOOP: dict[str, Any] = {
    "step_type": "loop",
    "back_to": "a",
    "condition": "output.more",
    "max_iterations": 3,
}


def branch(*rules: Any, **fields: Any) -> dict[str, Any]:
    return {"step_type": "branch", "rules": list(rules), **fields}


def rule(when: str, *then: str) -> dict[str, Any]:
    return {"when": when, "then": list(then)}


SOUND: list[GivenStep] = [
    ("x", [], {}),
    ("_X1", ["a", "b", "a"], {}),
    ("x" * 128, [], {}),
    ("x", [], MAP),
    ("x", ["a", "a"], MAP),
    ("x", ["m"], MAP | {"pipelined": True}),
    ("x", ["c"], MAP | {"pipelined": True, "max_attempts": 0, "when_exhausted": "skip"}),
    ("x", ["m"], MAP | {"batch_size": 1, "collect_errors": True, "if_": {}}),
    ("x", ["a"], MAP | {"max_failures": 0}),
    ("x", ["a"], MAP | {"pool": "mail", "batch_size": 1}),
    ("x", [], {"pool": "_" * 128}),
    ("x", ["r"], LOOP | {"back_to": "x", "pool": "mail"}),
    ("x", ["m"], MAP | {"max_failures": 2**31 - 1, "pipelined": True}),
    ("x", ["a"], MAP | {"max_failures_percent": 0, "collect_errors": True}),
    ("x", [], MAP | {"max_failures_percent": 100, "max_failures": 3, "when_exhausted": "skip"}),
    ("x", ["m"], {"max_attempts": 0, "base_delay": 0, "max_delay": 0, "timeout": 1}),
    ("x", [], {"jitter": "plus-minus", "start_delay": 2**31 - 1}),
    ("x", ["m"], SUBFLOW),
    ("x", ["m"], SUBFLOW | {"input": {"n": "$nodes.m[0]", "t": "to ${$input.a}", "s": "$$5"}}),
    ("x", ["m"], SUBFLOW | {"output": {"id": ["$nodes.one.id"]}}),
    ("x", ["m"], SUBFLOW | {"output": "$nodes.one", "over": "m", "input": {"n": "$item"}}),
    ("x", [], SUBFLOW | {"over": "$input.rows"}),
    ("x", ["m"], SUBFLOW | {"over": "m", "mode": "run"}),
    ("x", ["a"], SUBFLOW | {"mode": "run"}),
    ("x", ["a", "b"], JOIN),
    ("x", ["a", "b", "a"], JOIN | {"wait": "any", "if_": {}}),
    ("x", ["a", "b"], JOIN | {"wait": 1}),
    ("x", ["a", "b"], JOIN | {"wait": 2, "start_delay": 1}),
    ("x", [], LOOP | {"back_to": "x"}),
    ("x", ["r", "again"], LOOP | {"back_to": "x", "max_iterations": MOST_ITERATIONS}),
    ("x", ["again"], LOOP | {"back_to": "r", "max_iterations": 1, "handler": "h"}),
    ("x", ["again"], LOOP | {"back_to": "r1", "params": {"n": 1}, "description": "Twice."}),
    ("x", ["again", "b"], {}),
]
UNSOUND: list[GivenStep] = [
    ("run", [], {}),
    ("", [], {}),
    ("1st", [], {}),
    ("x" * 129, [], {}),
    ("x", ["nope"], {}),
    ("x", ["x"], {}),
    ("x", ["a", "b"], MAP),
    ("x", [], {"max_attempts": -1}),
    ("x", [], {"base_delay": -1}),
    ("x", [], {"max_delay": -1}),
    ("x", [], {"timeout": 0}),
    ("x", [], {"start_delay": -1}),
    ("x", [], {"start_delay": 2**31}),
    ("x", [], MAP | {"batch_size": 0}),
    ("x", ["a"], MAP | {"max_failures": -1}),
    *[("x", [], {"pool": pool}) for pool in ("", "run", "a b", "a/b", "mail\n", "é", "x" * 129)],
    ("x", ["a"], MAP | {"max_failures": 2**31}),
    ("x", ["a"], MAP | {"max_failures_percent": -1}),
    ("x", ["a"], MAP | {"max_failures_percent": 101}),
    ("x", ["l"], MAP | {"pipelined": True}),
    ("x", ["p"], MAP | {"pipelined": True}),
    ("x", [], {"step_type": "subflow", "flow": "nope"}),
    ("x", [], {"step_type": "subflow", "flow": "f"}),
    ("x", ["a"], SUBFLOW | {"input": {"n": "$nodes.b"}}),
    ("x", ["a"], SUBFLOW | {"input": {"n": "$node.a"}}),
    ("x", ["a"], SUBFLOW | {"input": {"n": ["a ${nodes.a}"]}}),
    ("x", ["a"], SUBFLOW | {"input": {"n": "$item.n"}}),
    ("x", ["a"], SUBFLOW | {"output": {"n": "$input"}}),
    ("x", ["a"], SUBFLOW | {"output": "$nodes"}),
    ("x", ["a"], SUBFLOW | {"over": "b"}),
    ("x", ["a"], SUBFLOW | {"over": "$nodes.b"}),
    ("x", ["a"], SUBFLOW | {"over": "$item"}),
    ("x", ["a"], SUBFLOW | {"on_failure": "x"}),
    ("x", ["a"], SUBFLOW | {"on_failure": "a"}),
    ("x", ["a"], SUBFLOW | {"on_failure": "b"}),
    ("x", [], MAP | {"pipelined": True}),
    ("x", ["a"], MAP | {"pipelined": True}),
    ("x", ["s"], MAP | {"pipelined": True}),
    ("x", ["m"], MAP | {"pipelined": True, "batch_size": 2}),
    ("x", ["m"], MAP | {"pipelined": True, "if_": {}}),
    ("x", ["m"], MAP | {"pipelined": True, "if_not": {}}),
    ("x", ["m"], MAP | {"pipelined": True, "run_if": "true"}),
    ("x", ["m"], MAP | {"pipelined": True, "run_unless": "true"}),
    ("x", ["a"], JOIN),
    ("x", [], JOIN),
    ("x", ["a", "a"], JOIN),
    ("x", ["a", "b"], JOIN | {"wait": 0}),
    ("x", ["a", "b"], JOIN | {"wait": -1}),
    ("x", ["a", "b"], JOIN | {"wait": 3}),
    ("x", ["a"], branch()),
    ("x", ["a"], branch(rule("true"))),
    ("x", ["a"], branch(rule("true", "x"))),
    ("x", ["a"], branch(rule("true", "a"))),
    ("x", ["a"], branch(rule("true", "b"))),
    ("x", ["a"], branch(rule("true", "run"))),
    ("x", ["a"], LOOP | {"back_to": "b"}),
    ("x", ["a"], LOOP | {"back_to": "nope"}),
    ("x", ["m"], LOOP | {"back_to": "m"}),
    ("x", ["a"], LOOP),
    ("x", ["r"], LOOP | {"back_to": "x", "max_iterations": 0}),
    ("x", ["r"], LOOP | {"back_to": "x", "max_iterations": MOST_ITERATIONS + 1}),
    ("x", ["r"], LOOP | {"back_to": "x", "if_": {}}),
    ("x", ["r"], LOOP | {"back_to": "x", "if_not": {}}),
    ("x", ["r"], LOOP | {"back_to": "x", "run_if": "true"}),
    ("x", ["r"], LOOP | {"back_to": "x", "run_unless": "true"}),
    ("x", ["r"], LOOP | {"back_to": "x", "when_exhausted": "skip"}),
    ("x", ["r"], LOOP | {"back_to": "x", "break_path": ["x"]}),
    ("x", ["r"], LOOP | {"back_to": "x", "timeout_path": ["a"]}),
    ("x", ["again"], LOOP | {"back_to": "again"}),
    ("x", ["again"], LOOP | {"back_to": "r2"}),
    ("x", ["r1", "again"], LOOP | {"back_to": "x"}),
    ("x", ["r1"], {}),
    ("x", ["again", "r2"], {}),
]
"""Steps for a flow that has the steps of `EARLIER`: slug, dependencies, and the rest."""

MAY_COME_LATER = {"target-unknown"}
"""Of a step that is named before it is added: only its name can be wrong then."""

CHILD = Flow("child").step("one")
EARLIER = (
    Flow("f")
    .step("a")
    .step("b")
    .map("m", depends_on="a")
    .map("s", depends_on="a", when_exhausted="skip-cascade")
    .map("c", depends_on="a", when_exhausted="skip-cascade", collect_errors=True)
    .map("l", depends_on="a", max_failures=1)
    .map("p", depends_on="a", max_failures_percent=1, collect_errors=True)
    .step("r")
    .step("r1", depends_on="r")
    .step("r2", depends_on="r1")
    .loop("again", back_to="r1", condition="output.more", max_iterations=3, depends_on="r2")
)


def with_step(slug: str, deps: list[str], fields: dict[str, Any]) -> Flow:
    given = dict(fields)
    match given.pop("step_type", "single"):
        case "map":
            return EARLIER.map(slug, depends_on=deps, **given)
        case "subflow":
            return EARLIER.subflow(slug, given.pop("flow"), depends_on=deps, **given)
        case "branch":
            return EARLIER.branch(slug, depends_on=deps, **given)
        case "join":
            return EARLIER.join(slug, depends_on=deps, **given)
        case "loop":
            return EARLIER.loop(slug, depends_on=deps, **given)
        case _:
            return EARLIER.step(slug, depends_on=deps, **given)


@pytest.fixture
def earlier(builder: FlowBuilder) -> None:
    builder.define_flows([CHILD, EARLIER])


@pytest.mark.parametrize("given", SOUND)
def test_a_sound_step_is_let_in_by_both(
    builder: FlowBuilder, earlier: None, given: GivenStep
) -> None:
    slug, deps, fields = given
    builder.add_step("f", slug, deps, **fields)
    wanted = with_step(slug, list(dict.fromkeys(deps)), fields)
    assert builder.get_flow("f") == wanted
    assert validate(wanted, {"child": CHILD}) == ()
    version = builder.define_flow(EARLIER)
    assert builder.define_flow(with_step(*given)) == version + 1
    assert builder.get_flow("f") == wanted


@pytest.mark.parametrize("given", UNSOUND)
def test_an_unsound_step_is_refused_by_both_and_leaves_nothing(
    builder: FlowBuilder, earlier: None, sql: Session, given: GivenStep
) -> None:
    slug, deps, fields = given
    before = sql("select * from pgflow.flow_versions"), sql("select * from pgflow.deps")
    with pytest.raises(InvalidFlow) as added:
        builder.add_step("f", slug, deps, **fields)
    with pytest.raises(InvalidFlow) as defined:
        builder.define_flow(with_step(*given))
    assert (
        added.value.problems == defined.value.problems
        or {problem.code for problem in defined.value.problems} <= MAY_COME_LATER
    )
    refusal = refusal_step_by_step(sql, with_step(*given).to_json())
    assert refusal is not None
    assert_same_code(refusal, {problem.code for problem in defined.value.problems})
    assert builder.get_flow("f") == EARLIER
    assert (sql("select * from pgflow.flow_versions"), sql("select * from pgflow.deps")) == before


def test_two_steps_of_one_slug_are_refused_however_they_come(
    builder: FlowBuilder, earlier: None, sql: Session
) -> None:
    with pytest.raises(InvalidFlow, match=r"differs in: handler.*\[duplicate-step\]"):
        builder.add_step("f", "a", handler="other")
    with pytest.raises(InvalidFlow, match="duplicate-step"):
        builder.define_flow(EARLIER.step("a", "other"))
    with pytest.raises(psycopg2.errors.UniqueViolation, match="steps_pkey"):
        sql("insert into pgflow.steps (flow_slug, step_slug) values ('f', 'a')")
    assert builder.get_flow("f") == EARLIER


@pytest.mark.parametrize("table", ["flows", "steps"])
def test_plain_sql_is_held_to_the_rule_of_slugs_too(sql: Session, table: str) -> None:
    sql("select pgflow.create_flow('f')")
    rows = {
        "flows": "pgflow.flows (flow_slug) values ('1st')",
        "steps": "pgflow.steps (flow_slug, step_slug) values ('f', 'run')",
    }
    rule = {"flows": "slug_is_valid", "steps": "steps_step_slug_check"}
    with pytest.raises(psycopg2.errors.CheckViolation, match=rule[table]):
        sql(f"insert into {rows[table]}")


def test_a_later_step_cannot_become_a_dependency_of_an_earlier_one(
    builder: FlowBuilder, earlier: None
) -> None:
    with pytest.raises(InvalidFlow, match="differs in: deps_slugs"):
        builder.add_step("f", "a", ["b"])
    with pytest.raises(InvalidFlow, match="dependency-cycle"):
        builder.define_flow(Flow("f").step("a", depends_on="b").step("b", depends_on="a"))


def fields_of(step: Step) -> Any:
    """Returns the arguments of `add_step` that make a step."""
    fields: dict[str, Any] = step.model_dump(
        exclude={"type", "slug", "depends_on", "options"}, exclude_none=True
    )
    fields |= step.options.model_dump(exclude_none=True)
    return fields | {"step_type": step.type}


@settings(
    max_examples=40,
)
@given(flow=flows())
def test_a_flow_that_is_built_step_by_step_is_the_one_that_is_defined_whole(
    builder: FlowBuilder, sql: Session, flow: Flow
) -> None:
    builder.define_flow(CHILD)
    sql("delete from pgflow.flows where flow_slug = 'f'")
    options: dict[str, Any] = flow.options.model_dump(exclude_none=True)
    builder.create_flow(
        "f",
        **options,
        description=flow.description,
        tags=flow.tags,
        merge_output=flow.merge_output,
        input_schema=flow.input_schema,
        output_schema=flow.output_schema,
    )
    for step in flow.steps:
        added = builder.add_step("f", step.slug, step.depends_on, **fields_of(step))
        assert added == step
        assert builder.add_step("f", step.slug, step.depends_on, **fields_of(step)) == step
    whole = flow.model_copy(update={"schedules": ()})
    assert builder.get_flow("f") == whole
    version = builder.define_flow(whole)
    assert version == sql.value(
        "select version from pgflow.flow_versions where flow_slug = 'f'"
        " order by version_id desc limit 1"
    )


def wide_diamond(layers: int) -> Flow:
    """Two steps a layer, each needing both of the layer before: 2 ** layers paths through."""
    steps = list(Flow("f").step("a0").step("b0").steps)
    for before, layer in pairwise(range(layers)):
        deps = [f"a{before}", f"b{before}"]
        one = Flow("f").step(f"a{layer}", depends_on=deps).step(f"b{layer}", depends_on=deps)
        steps += one.steps
    return Flow("diamond").model_copy(update={"steps": tuple(steps)})


def test_a_diamond_of_a_hundred_layers_is_stored_and_added_to_once(
    counting: CountingDatabase, sql: Session
) -> None:
    def build() -> None:
        assert builder.define_flow(wide_diamond(100)) == 1
        builder.add_step("diamond", "last", ["a99", "b99"])
        builder.add_step("diamond", "last", ["b99", "a99"])
        assert len(builder.get_flow("diamond").steps) == 201

    builder = FlowBuilder(counting)
    # 2 ** 100 ways lead through it.
    with without_statistics(sql):
        assert counting.work_of(build).rows < 50_000
