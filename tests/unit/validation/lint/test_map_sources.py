from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import SingleStep
from dagster_pgflow.validation.lint.map_sources import maps_are_fed_lists
from dagster_pgflow.validation.types.json_type import JsonType
from dagster_pgflow.validation.types.type_problems import list_problems
from tests.unit.validation.problems import places, problems_found

NO_LIST = {"type": "object"}


def fed_by(schema: dict[str, Any] | None) -> Flow:
    source = SingleStep(slug="a", output_schema=schema)
    return Flow("f", steps=(source,)).map("m", depends_on="a")


def test_a_map_over_an_output_that_is_no_list_by_its_schema_is_told() -> None:
    assert problems_found(maps_are_fed_lists, fed_by(NO_LIST)) == [
        (
            "map-over-no-list",
            "steps.m.depends_on",
            (
                'Map step "m" maps over the output of "a", which is not a list by its'
                " output_schema; it needs a list."
            ),
        )
    ]


def test_a_root_map_needs_a_flow_input_that_is_a_list() -> None:
    assert places(maps_are_fed_lists, Flow("f", input_schema=NO_LIST).map("m")) == [
        ("map-over-no-list", "steps.m.depends_on")
    ]
    assert problems_found(maps_are_fed_lists, Flow("f", input_schema=list[int]).map("m")) == []
    assert problems_found(maps_are_fed_lists, Flow("f").map("m")) == []


def test_a_subflow_gives_an_object_so_that_a_map_over_it_is_told() -> None:
    flow = Flow("f").subflow("s", "other").map("m", depends_on="s")
    [(_, _, message)] = problems_found(maps_are_fed_lists, flow)
    assert 'subflow "s", an object of its final steps' in message


def test_a_flow_that_maps_over_its_input_gets_an_object_behind_a_step() -> None:
    inner = Flow("inner").map("m")
    behind = Flow("f").step("a").subflow("s", "inner", depends_on="a")
    assert places(maps_are_fed_lists, behind, {"inner": inner}) == [
        ("map-over-no-list", "steps.s.flow")
    ]
    first = Flow("f").subflow("s", "inner")
    assert problems_found(maps_are_fed_lists, first, {"inner": inner}) == []
    assert problems_found(maps_are_fed_lists, behind) == []


def test_a_map_over_a_map_is_fine() -> None:
    flow = Flow("f").map("a").map("b", depends_on="a")
    assert problems_found(maps_are_fed_lists, flow) == []


LAUGHS: dict[str, Any] = {"a30": {"type": "array"}} | {
    f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(30)
}


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (None, True),
        (True, True),
        (False, True),
        ({}, True),
        ({"type": "array"}, True),
        ({"type": ["null", "array"]}, True),
        ({"type": ["null", "object"]}, False),
        ({"const": 1}, False),
        ({"const": [1]}, True),
        ({"enum": ["a", "b"]}, False),
        ({"enum": ["a", []]}, True),
        ({"anyOf": [{"type": "array"}, {"type": "null"}]}, True),
        ({"anyOf": [{"type": "object"}, {"type": "null"}]}, False),
        ({"oneOf": [{"type": "string"}]}, False),
        ({"allOf": [{}, {"type": "string"}]}, False),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "object"}}}, False),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "array"}}}, True),
        ({"$ref": "#/$defs/gone"}, True),
        ({"$ref": "https://example.com/x"}, True),
        ({"anyOf": [{"$ref": "#/anyOf/0"}]}, True),
        ({"allOf": [{"$ref": "#"}, {"$ref": "#/allOf"}]}, True),
        ({"$ref": "#/$defs/a0", "$defs": LAUGHS}, True),
        ({"type": 7, "enum": 7, "anyOf": 7, "$ref": 7}, True),
    ],
)
def test_whether_a_schema_allows_a_list(schema: Any, *, says: bool) -> None:
    assert (not list_problems(JsonType(schema, schema))) is says


SCHEMAS = st.recursive(
    st.sampled_from([{}, True, False, {"type": "array"}, {"type": "object"}])
    | st.sampled_from([{"type": ["array", "null"]}, {"const": []}, {"enum": [1, []]}])
    | st.sampled_from([{"enum": ["a"]}, {"$ref": "#/$defs/x"}]),
    lambda inner: st.builds(
        lambda word, parts: {word: parts},
        st.sampled_from(["allOf", "anyOf", "oneOf"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)


@given(SCHEMAS, SCHEMAS)
def test_a_schema_that_takes_a_list_is_never_said_to_take_none(schema: Any, part: Any) -> None:
    whole = {"allOf": [schema], "$defs": {"x": part}}
    assume("$ref" not in repr(part))
    if Draft202012Validator(whole).is_valid([]):
        assert not list_problems(JsonType(whole, whole))
