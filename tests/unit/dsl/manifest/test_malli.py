"""Schemas of manifests, as JSON Schemas."""

from typing import Any

import pytest

from dagster_pgflow.dsl.manifest.forms import FormRefused, form_of
from dagster_pgflow.dsl.manifest.malli import output_of, schema_of
from tests.unit.dsl.manifest.edn import form


def refused(text: str) -> list[str]:
    found: list[FormRefused] = []
    schema_of(form(text), found.append)
    return [str(reason) for reason in found]


def fail(reason: FormRefused) -> None:
    raise reason


def obj(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required or list(properties)}


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("[:map]", {"type": "object"}),
        (":map", {"type": "object"}),
        ("[:map [:a :int]]", obj(a={"type": "integer"})),
        (
            "[:map [:a :int] [:b {:optional true} :string]]",
            obj(["a"], a={"type": "integer"}, b={"type": "string"}),
        ),
        (
            "[:map {:closed true} [:a :any]]",
            obj(a={}) | {"additionalProperties": False},
        ),
        ("{:a :double :b {:c :boolean}}", obj(a={"type": "number"}, b=obj(c={"type": "boolean"}))),
        ("[:vector :map]", {"type": "array", "items": {"type": "object"}}),
        ("[:vector {:min 1} :int]", {"type": "array", "minItems": 1, "items": {"type": "integer"}}),
        ("[:enum :a 1 nil]", {"enum": ["a", 1, None]}),
        ("[:= {:a 1}]", {"enum": [{"a": 1}]}),
        ("[:maybe :string]", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ("[:or :int :string]", {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (
            "[:and :int [:> 0]]",
            {"allOf": [{"type": "integer"}, {"type": "number", "exclusiveMinimum": 0}]},
        ),
        (
            "[:map-of :keyword :int]",
            {"type": "object", "additionalProperties": {"type": "integer"}},
        ),
        (
            "[:tuple :int :int]",
            {
                "type": "array",
                "minItems": 2,
                "maxItems": 2,
                "prefixItems": [{"type": "integer"}, {"type": "integer"}],
            },
        ),
        (
            '[:string {:min 1 :max 3 :error/message "no"}]',
            {"type": "string", "minLength": 1, "maxLength": 3},
        ),
        ('[:re "^a$"]', {"type": "string", "pattern": "^a$"}),
        ("pos-int?", {"type": "integer", "minimum": 1}),
        ("[:map [:mycelium/error [:map]]]", obj(error={"type": "object"})),
        ('[:int {:description "how many"}]', {"description": "how many", "type": "integer"}),
        ('{"type" "object" "required" ["a"]}', {"type": "object", "required": ["a"]}),
        ('{:a {"type" "integer" "minimum" 1}}', obj(a={"type": "integer", "minimum": 1})),
        ("{:type :string}", obj(type={"type": "string"})),
        (
            "[:multi {:dispatch :t} [:a :int] [:b :string]]",
            {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        ),
        ("[:not :nil]", {"not": {"type": "null"}}),
    ],
)
def test_a_schema_becomes_a_json_schema(text: str, schema: dict[str, Any]) -> None:
    assert schema_of(form(text), fail) == schema


def test_names_are_plain_texts_in_yaml() -> None:
    written = form_of(["map", ["a", "int"], ["b", {"optional": True}, ["vector", "string"]]])
    same = form("[:map [:a :int] [:b {:optional true} [:vector :string]]]")
    assert schema_of(written, fail) == schema_of(same, fail)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (":strng", [":strng is no schema here: :string may be meant"]),
        ("[:map :a]", [":a is no schema here: write [:key :type]"]),
        ("[:map [:a :strng] [:b [:vectr :int]]]", [":strng is no", "[:vectr :int] is no"]),
        ("[:map [:a {:optionl true} :int]]", [":optionl is no schema here: the options are"]),
        ("[:vector :int :int]", ["write [:vector :type]"]),
        ("[:fn odd?]", ["[:fn odd?] is no schema"]),
        ("[:enum odd?]", ["odd? is no value"]),
        ('[:re "(?=a)"]', ["cannot be used"]),
        ('{"type" "object" "required" 5}', ["This is not a JSON Schema"]),
        ("5", ["5 is no schema"]),
        ("[]", ["[] is no schema"]),
        ("[:maybe]", ["write [:maybe :type]"]),
        ("[:> :a]", ["one number"]),
    ],
)
def test_every_mistake_is_told(text: str, said: list[str]) -> None:
    found = refused(text)
    assert len(found) == len(said)
    assert all(part in reason for part, reason in zip(said, found, strict=True))


def test_an_output_may_be_one_for_each_label() -> None:
    written = "[:per-transition {:paid [:map [:id :int]] :refused [:map]}]"
    found = output_of(form(written), ("paid", "refused"), fail)
    assert found.by_label == {"paid": obj(id={"type": "integer"}), "refused": {"type": "object"}}
    assert (found.schema, found.hint) == (None, None)


def test_the_older_form_is_known_by_the_labels() -> None:
    older = form("{:paid [:map [:id :int]] :refused [:map]}")
    found = output_of(older, ("paid", "refused"), fail)
    assert set(found.by_label) == {"paid", "refused"}
    assert found.hint is not None
    assert ":per-transition" in found.hint
    assert output_of(older, ("done",), fail).schema == schema_of(older, fail)
