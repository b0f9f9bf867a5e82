"""A rule that asks for a field which a closed schema does not have is a problem, told at once."""

from typing import Any

import pytest
from pydantic import BaseModel, Field, computed_field

from dagster_pgflow import handler
from dagster_pgflow.compiler.soundness import problems_of
from dagster_pgflow.expressions.paths import paths_in
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.validation.fields import fields_can_be_there
from tests.unit.validation.problems import places, problems_found

CLOSED: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "folder": {"type": "string"},
        "limits": {"$ref": "#/$defs/Limits"},
        "rows": {"type": "array", "items": {"$ref": "#/$defs/Limits"}},
        "note": {"anyOf": [{"$ref": "#/$defs/Limits"}, {"type": "null"}]},
        "mixed": {"anyOf": [{"$ref": "#/$defs/Limits"}, {"type": "object"}]},
        "near": {"anyOf": [{"$ref": "#/$defs/Limits"}, {"properties": {"maxi": {}}}]},
        "open": {"type": "object", "properties": {"max_bad": {}}},
        "loose": {"type": "object", "additionalProperties": {"type": "integer"}},
        "any": {},
    },
    "$defs": {
        "Limits": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"max_bad": {"type": "integer"}},
        }
    },
}


def root(run_if: str, schema: Any = CLOSED) -> Flow:
    return Flow("f", input_schema=schema).step("a", run_if=run_if)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("flow_input.foldr == 'x'", "flow_input.foldr"),
        ("input.foldr == 'x'", "input.foldr"),
        ("has(flow_input.foldr)", "flow_input.foldr"),
        ('flow_input["foldr"] == "x"', "flow_input.foldr"),
        ("flow_input.limits.max > 1", "flow_input.limits.max"),
        ("1 < flow_input . limits . max", "flow_input.limits.max"),
        ("flow_input.rows[0].max > 1", "flow_input.rows[0].max"),
        ("flow_input.folder.name == ''", "flow_input.folder.name"),
        ("flow_input.rows.name == ''", "flow_input.rows.name"),
        ("flow_input.note.max == 1", "flow_input.note.max"),
        ("flow_input.rows.all(row, flow_input.max > 1)", "flow_input.max"),
        ("true || flow_input.nope // there is none", "flow_input.nope"),
    ],
)
def test_a_field_that_a_closed_schema_lacks_is_told_with_the_expression(
    text: str, asked: str
) -> None:
    [problem] = fields_can_be_there(root(text), {})
    assert (problem.code, problem.path) == ("unknown-field", "steps.a.run_if")
    assert problem.message.startswith(f"`{asked}` is never there: ")


def test_the_sentence_says_what_there_is_and_what_may_be_meant() -> None:
    [problem] = fields_can_be_there(root("flow_input.limits.max_bat > 1"), {})
    assert problem.message == (
        "`flow_input.limits.max_bat` is never there: flow_input.limits has the fields max_bad;"
        ' "max_bad" may be meant.'
    )


@pytest.mark.parametrize(
    "text",
    [
        "flow_input.folder == 'x'",
        "flow_input.limits.max_bad > 1",
        "flow_input.rows[0].max_bad > 1",
        "flow_input.rows.size() > 1",
        "flow_input.folder.startsWith('x')",
        "flow_input.rows.all(row, row.nope > 1)",
        "[{'nope': 1}].all(flow_input, flow_input.nope > 0)",
        "{'a': {'nope': 1}}.all(key, flow_input, flow_input.nope > 0)",
        "flow_input.open.other > 1",
        "flow_input.open.max_bat > 1",
        "flow_input.loose.other > 1",
        "flow_input.any.other > 1",
        "flow_input.mixed.other > 1",
        "flow_input.near.max > 1",
        "'flow_input.nope' == flow_input.folder",
        "ctx.params.flow_input.nope > 1",
        "flow_input[flow_input.folder] == 1",
        "flow_input == {}",
    ],
)
def test_what_may_be_there_is_never_refused(text: str) -> None:
    assert problems_found(fields_can_be_there, root(text)) == []


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {},
        {"type": "object", "properties": {"a": {}}},
        {**CLOSED, "patternProperties": {"^n": {}}},
        {"anyOf": [CLOSED, {"type": "object"}]},
        {"$ref": "https://example.org/schema"},
        {"if": {}, "then": CLOSED},
        {"type": "object", "additionalProperties": True},
    ],
)
def test_an_open_schema_may_have_any_field(schema: Any) -> None:
    assert problems_found(fields_can_be_there, root("flow_input.nope > 1", schema)) == []


class Counted(BaseModel, extra="forbid"):
    bad: int = Field(serialization_alias="bad")

    @computed_field
    def is_bad(self) -> bool:
        return self.bad > 0


@handler("count")
def count(_given: Any) -> Counted:
    return Counted(bad=1)


def after(run_if: str, work: Any) -> Flow:
    return Flow("f").step("a", work).step("b", depends_on="a", run_if=run_if)


@pytest.mark.parametrize(
    "text", ["output.bda > 1", "$.bda > 1", "deps.a.bda > 1", "input.a.bda > 1", "has(deps.a.bda)"]
)
def test_what_a_step_before_returns_is_known_by_its_schema(text: str) -> None:
    told = places(fields_can_be_there, after(text, count))
    assert told == [("unknown-field", "steps.b.run_if")]
    assert (
        problems_found(fields_can_be_there, after("output.bda > 1 || deps.a.bda > 1", "any")) == []
    )


def test_what_a_step_returns_has_computed_fields_too() -> None:
    assert (
        problems_found(fields_can_be_there, after("output.is_bad && output.bad > 1", count)) == []
    )


def test_the_handlers_of_a_code_location_tell_what_steps_return_that_only_name_them() -> None:
    flow = after("output.bda > 1", "count")
    assert problems_found(fields_can_be_there, flow) == []
    handlers = HandlerRegistry.collect([{"count": count}])
    [problem] = problems_of(flow, {"f": flow}, handlers)
    assert (problem.code, problem.path) == ("unknown-field", "steps.b.run_if")
    assert problems_of(after("output.is_bad", "count"), {}, handlers) == ()


def test_a_branch_asks_for_what_it_returns_itself() -> None:
    def branch(when: str, **own: Any) -> Flow:
        flow = Flow("f").step("a", count)
        flow = flow.branch("b", rules=[{"when": when, "then": ["c"]}], depends_on="a", **own)
        return flow.step("c", depends_on="b")

    told = places(fields_can_be_there, branch("output.bda > 1", handler=count))
    assert told == [("unknown-field", "steps.b.rules[0].when")]
    assert places(fields_can_be_there, branch("output.bad > 1", handler=count)) == []
    assert places(fields_can_be_there, branch("output.bda > 1", handler="h")) == []


def test_what_a_loop_gives_to_its_first_step_is_not_known() -> None:
    loop = (
        Flow("f", input_schema=CLOSED)
        .step("a", run_if="input.again > 1 || deps.again > 1 || flow_input.folder == ''")
        .loop("again", back_to="a", condition="output > 1", max_iterations=3, depends_on="a")
    )
    assert problems_found(fields_can_be_there, loop) == []


@pytest.mark.parametrize(
    ("template", "is_reported"),
    [
        ("$input.foldr", True),
        ("in ${$input.foldr}", True),
        ("$input.folder", False),
        ("$input.open.other", False),
        ("$nodes.a.bda", True),
        ("$nodes.a.bad", False),
        ("$$input.foldr", False),
        ("${input.foldr}", False),
    ],
)
def test_references_in_params_are_held_to_closed_schemas_too(
    template: str, is_reported: bool
) -> None:
    flow = Flow("f", input_schema=CLOSED).step("a", count)
    flow = flow.step("b", params={"to": [template]}, depends_on="a")
    told = places(fields_can_be_there, flow)
    assert told == ([("unknown-field", "steps.b.params.to[0]")] if is_reported else [])


def test_expressions_in_the_params_of_a_node_type_are_looked_at() -> None:
    params = {"expression": "{'all': input.a.bad, 'from': flow_input.foldr}"}
    flow = Flow("f", input_schema=CLOSED).step("a", count)
    flow = flow.step("b", "pgflow.transform", params=params, depends_on="a")
    assert places(fields_can_be_there, flow) == [("unknown-field", "steps.b.params.expression")]


def test_a_path_ends_where_something_is_called_or_computed() -> None:
    text = 'flow_input.a.f(flow_input.b)["c"] + flow_input[x].d + flow_input.`e f`.g'
    found = [path.text for path in paths_in(text, ["flow_input"])]
    assert found == ["flow_input.a", "flow_input.b", "flow_input.e f.g"]
