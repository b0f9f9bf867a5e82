"""What Dagster is told of an input is weaker than its schema, whatever the schema says."""

import json
from typing import Any, Literal

import dagster as dg
import pytest
from dagster._config import process_config
from dagster._core.remote_representation.external_data import JobDataSnap
from dagster._serdes import deserialize_value, serialize_value
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from dagster_pgflow.compiler.input_config import MOST_PARTS, input_config
from dagster_pgflow.json_values.sealed import SEALED_KEY, seal
from dagster_pgflow.model.defaults import input_of_run
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import FLOW_INPUT
from dagster_pgflow.runtime.inputs import breach
from tests.execution.harness import job_of, run
from tests.hostile_json import accepted


class Line(BaseModel):
    sku: str
    count: int = 1


class Order(BaseModel, extra="forbid"):
    env: Literal["prod", "staging"]
    lines: list[Line] = []
    rate: float | None = None
    note: str | None
    flags: dict[str, bool] = {}


SCHEMA = Order.model_json_schema()


def told(schema: Any, value: Any) -> Any:
    """Returns what Dagster makes of an input: the value, or what it says against it."""
    result = process_config(dg.Field(input_config(schema)).config_type, value)
    return result.value if result.success else [error.message for error in result.errors or ()]


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ({"env": "produ"}, 'one of "prod", "staging"'),
        ({"env": 5}, "env"),
        ({"env": None}, "env"),
        ({"lines": [{"sku": 5}]}, "lines"),
        ({"lines": [{}]}, "sku"),
        ({"lines": {}}, "lines"),
        ({"lines": [None]}, "lines"),
        ({"rate": "fast"}, "rate"),
        ({"flags": []}, "flags"),
        ({"evn": "prod"}, "evn"),
        ([], "must be dict"),
        (None, "not be None"),
    ],
)
def test_a_wrong_type_is_refused_before_there_is_a_run(value: Any, word: str) -> None:
    [message] = told(SCHEMA, value)
    assert word in message


@pytest.mark.parametrize(
    "value",
    [
        {"env": "prod", "note": None},
        {"env": "staging", "note": "x", "lines": [{"sku": "a"}, {"sku": "b", "count": 2.0}]},
        {"env": "prod", "note": "", "rate": 1, "flags": {"a": True}},
        {"env": "prod", "note": "x", "rate": 0.5, "lines": []},
        {},
        {SEALED_KEY: '{"env": "prod", "note": null}'},
    ],
)
def test_what_fits_arrives_as_it_was(value: Any) -> None:
    arrived = told(SCHEMA, value)
    assert json.dumps(arrived, sort_keys=True) == json.dumps(value, sort_keys=True)


NAMES = ["a", "b", "ü", "__class__", "config", "a b"]
SCALARS: list[Any] = [None, True, 0, 1, -7, 1.0, 1.5, 2**60, 10**20, "", "a", "x", "ü"]
OF_KIND: dict[str, list[Any]] = {
    "null": [None],
    "boolean": [True, False],
    "string": ["", "a", "x", "ü"],
    "integer": [0, -7, 1.0, 2**53, 2**60],
    "number": [0, 1, 1.5, 10**20],
}
WAYS_OF_SAYING = (*OF_KIND, "object", "object", "object", "array", "anything", "nullable")
MORE_WAYS = (*WAYS_OF_SAYING, "one of", "text or null", "choice", "all", "reference", "elsewhere")


@st.composite
def parts(draw: st.DrawFn, levels: int = 3) -> Any:
    """Draws a part of a schema: mostly what people write, and what does not go together."""
    route = draw(st.sampled_from(MORE_WAYS if levels else tuple(OF_KIND)))
    inner = parts(levels - 1)
    said: dict[str, Any] = {"type": route}
    match route:
        case "object":
            names = draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))
            said["properties"] = {name: draw(inner) for name in names}
            said["required"] = draw(st.lists(st.sampled_from([*names, "a"]), max_size=2))
            more = [True, False, False, draw(inner)]
            said["additionalProperties"] = draw(st.sampled_from(more))
            said |= draw(st.sampled_from([{}, {}, {}, {"patternProperties": {"^b": True}}]))
        case "array":
            said["items"] = draw(inner)
            said |= draw(st.sampled_from([{}, {}, {}, {"prefixItems": [True]}]))
        case "anything":
            said = draw(st.sampled_from([{}, {"minimum": 1}, {"properties": {"a": False}}]))
        case "nullable":
            said = {**draw(inner)}
            kinds = said.get("type", "string")
            said["type"] = [kinds, "null"] if isinstance(kinds, str) else kinds
        case "one of" | "text or null":
            texts = [value for value in SCALARS if isinstance(value, str | None)]
            values = st.sampled_from(SCALARS if route == "one of" else texts)
            said = draw(st.sampled_from([{}, {"type": "string"}, {"type": ["string", "null"]}]))
            said = {**said, "enum": draw(st.lists(values, min_size=1, max_size=3))}
        case "choice" | "all":
            words = ["allOf"] if route == "all" else ["anyOf", "oneOf"]
            others: list[list[Any]] = [[], [{"type": "null"}], [{}]]
            choices = [draw(inner), *draw(st.sampled_from(others))]
            said = {draw(st.sampled_from(words)): choices}
        case "reference":
            said = {"$ref": draw(st.sampled_from(["#", "#/$defs/T", "#/properties/a"]))}
        case "elsewhere":
            said = {"$ref": "#/nowhere", "const": "a"}
    defaults: list[Any] = [{}, {}, {}, {"default": draw(st.sampled_from([*SCALARS, {}]))}]
    return {**said, **draw(st.sampled_from(defaults))}


@st.composite
def inputs(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    return {
        "type": "object",
        "properties": {name: draw(parts()) for name in names},
        "required": draw(st.lists(st.sampled_from(names), max_size=1)),
        "additionalProperties": draw(st.booleans()),
        "$defs": {"T": draw(parts(1))},
    }


@st.composite
def meant(draw: st.DrawFn, schema: Any, whole: Any, levels: int = 5) -> Any:
    """Draws a value as the schema has it, as far as that is easily seen."""
    if not isinstance(schema, dict) or levels == 0 or draw(st.integers(0, 15)) == 0:
        return draw(st.sampled_from([*SCALARS, [], [None], {}, {"a": 1}]))
    fixed = schema.get("enum", [schema["const"]] if "const" in schema else [])
    kinds = schema.get("type", [*OF_KIND, "object"])
    kind = "enum" if fixed else draw(st.sampled_from([kinds] if isinstance(kinds, str) else kinds))
    choices = [part for word in ("anyOf", "oneOf", "allOf") for part in schema.get(word, ())]
    value: Any = None
    if "$ref" in schema or (choices and "type" not in schema):
        known = {"#": whole, "#/$defs/T": whole["$defs"]["T"]}
        chosen = known.get(schema.get("$ref", "")) or draw(st.sampled_from([*choices, True]))
        value = draw(meant(chosen, whole, levels - 1))
    elif kind == "object":
        fields = {**dict.fromkeys(schema.get("required", ())), **schema.get("properties", {})}
        chosen = [name for name in fields if draw(st.integers(0, 4))]
        value = {name: draw(meant(fields[name], whole, levels - 1)) for name in chosen}
    elif kind == "array":
        value = draw(st.lists(meant(schema.get("items"), whole, levels - 1), max_size=2))
    else:
        value = draw(st.sampled_from(fixed or OF_KIND[kind]))
    return value


@settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(schema=inputs(), data=st.data())
def test_an_input_that_the_flow_accepts_passes_and_arrives_unchanged(
    schema: dict[str, Any], data: st.DataObject
) -> None:
    for _ in range(3):
        value = data.draw(meant(schema, schema))
        if breach(schema, input_of_run(schema, value)) is None:
            sealed = seal(value)
            event("is accepted, and told of" if input_config(schema) is not dg.Any else "accepted")
            assert json.dumps(told(schema, sealed), sort_keys=True) == json.dumps(
                sealed, sort_keys=True
            )


@settings(max_examples=15)
@given(schema=st.dictionaries(st.sampled_from(["properties", "default", "enum"]), accepted))
def test_a_schema_of_any_kind_can_be_told_to_dagster(schema: dict[str, Any]) -> None:
    """Such a schema may be no JSON Schema; then the flow has a job that says so."""
    text = serialize_value(
        JobDataSnap.from_job_def(job_of(Flow("f", input_schema=schema).step("a")), True)
    )
    assert deserialize_value(text, JobDataSnap).name == "f"


def wide(count: int) -> dict[str, Any]:
    return {"type": "object", "properties": {f"p{n}": {"type": "integer"} for n in range(count)}}


@pytest.mark.parametrize(
    "schema",
    [
        wide(10_000),
        wide(MOST_PARTS + 1),
        {"type": "object", "properties": {"\ud800": {"type": "integer"}}},
        {"type": "object", "properties": {"n" * 501: {"type": "integer"}}},
        {"type": "object", "$defs": {"a": {"$id": "https://example.org"}}, "properties": {"p": {}}},
        {
            "type": "object",
            "properties": {"p": {"$schema": "http://json-schema.org/draft-04/schema#"}},
        },
        {"type": "array", "items": {"type": "integer"}},
        {"type": "string"},
        {"type": ["object", "null"], "properties": {"p": {"type": "integer"}}},
        {"properties": {"p": {"type": "integer"}}},
        {},
    ],
)
def test_where_it_is_not_certain_anything_passes(schema: dict[str, Any]) -> None:
    assert input_config(schema) is dg.Any
    assert told(schema, [None, {"p": "x"}]) == [None, {"p": "x"}]


def test_a_schema_that_contains_itself_is_told_as_far_as_it_goes() -> None:
    node = {
        "type": "object",
        "properties": {
            "left": {"$ref": "#"},
            "right": {"$ref": "#"},
            "n": {"type": "integer"},
        },
    }
    assert input_config(node) is dg.Any
    single = {**node, "properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}}
    assert told(single, {"next": {"next": {"n": "x"}}}) != {"next": {"next": {"n": "x"}}}
    deep: dict[str, Any] = {"n": "x"}
    for _ in range(30):
        deep = {"next": deep}
    assert told(single, deep) == deep


def test_names_that_dagster_gives_a_meaning_are_fields_like_others() -> None:
    names = ["__class__", "__enum__", "config", "inputs", "resources", "$ref", "a b", "üñ", ""]
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {"type": "integer"} for name in names},
    }
    flow = Flow("f", input_schema=schema).step("a", "echo")
    snap = JobDataSnap.from_job_def(job_of(flow), True)
    assert deserialize_value(serialize_value(snap), JobDataSnap) == snap
    value = dict.fromkeys(names, 1)
    assert run(flow, value).outputs == {"a": value}
    with pytest.raises(dg.DagsterInvalidConfigError):
        run(flow, {"config": "x"})


@pytest.mark.parametrize("value", [None, 0, "text", [], [None, 1], 1.0])
def test_an_input_that_is_no_object_arrives_as_it_is(value: Any) -> None:
    flow = Flow("f", input_schema={"type": ["null", "number", "string", "array"]}).step("a", "echo")
    assert dg.validate_run_config(job_of(flow), {"inputs": {FLOW_INPUT: value}})
    assert run(flow, value).outputs == {"a": value}
