"""Schemas of manifests as JSON Schemas: from Malli, from its short form, or as they are.

`[:map [:id :string] [:note {:optional true} :string]]`, `{:id :string}` and a JSON Schema say what
an object has. In YAML and JSON the names are plain texts. Objects are open: whatever a schema does
not list may be there. Every mistake is told, each with its form.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dagster_pgflow.dsl.manifest.data_keys import data_key
from dagster_pgflow.dsl.manifest.forms import (
    Atom,
    Form,
    FormRefused,
    Keyword,
    MapForm,
    Symbol,
    VectorForm,
    json_of,
    name_of,
    shown,
)
from dagster_pgflow.dsl.manifest.malli_types import PLAIN, PREDICATES, bounds_of
from dagster_pgflow.model.steps.fields import JsonSchema
from dagster_pgflow.validation.schemas import schema_problems
from dagster_pgflow.validation.types.json_type import nearest

Refuse = Callable[[FormRefused], None]
"""Takes note of a mistake; reading goes on behind it."""

_SUCH_AS: Final = "write a type such as :string, [:map [:k :int]], or a JSON Schema"
_LONGEST_WORD: Final = 50
PER_TRANSITION: Final = "per-transition"
INHERIT: Final = "inherit"
_JSON_TYPES: Final = ("object", "array", "number", "integer", "string", "boolean", "null")
_JSON_WORDS: Final = ("$schema", "$ref", "$defs", "allOf", "anyOf", "oneOf", "properties", "type")


@dataclass(frozen=True)
class CellOutput:
    """What a cell adds to the data map.

    Attributes:
        schema: Whichever edge is taken.
        by_label: By the label of the edge that is taken.
        hint: What should be written in place of an older form.
    """

    schema: JsonSchema | None = None
    by_label: Mapping[str, JsonSchema] = field(default_factory=dict)
    hint: str | None = None


def schema_of(form: Form, refuse: Refuse) -> JsonSchema:
    """Return the JSON Schema of a form; what is refused may be anything in it.

    >>> amount = VectorForm((Keyword("amount"), Keyword("int")))
    >>> schema_of(VectorForm((Keyword("map"), amount)), print)
    {'type': 'object', 'properties': {'amount': {'type': 'integer'}}, 'required': ['amount']}
    """
    reading = _SchemaReader(refuse)
    if isinstance(form, MapForm):
        return reading.object_of(form)
    return reading.of(form)


def schema_of_value(form: Form, refuse: Refuse) -> JsonSchema:
    """Return the JSON Schema of a form that need not be one of an object.

    >>> schema_of_value(MapForm(((Keyword("type"), Atom("boolean")),)), print)
    {'type': 'boolean'}
    """
    return _SchemaReader(refuse).of(form)


def output_of(form: Form, labels: Collection[str], refuse: Refuse) -> CellOutput:
    """Return what a form says that a cell adds.

    Args:
        form: One schema, `[:per-transition {label schema}]`, or the older `{label [:map ...]}`.
        labels: Those of the edges of the cell; the older form is known by them.
        refuse: Takes note of mistakes.
    """
    match form:
        case VectorForm(items=(head, MapForm() as each)) if name_of(head) == PER_TRANSITION:
            return CellOutput(by_label=_by_label(each, refuse))
        case VectorForm(items=(head, *_)) if name_of(head) == PER_TRANSITION:
            message = f"{shown(form)} has no labels; write [:per-transition {{:label [:map ...]}}]."
            refuse(FormRefused(form, message, "invalid-schema"))
            return CellOutput()
        case MapForm() if _is_older(form, labels):
            hint = "An output for each label is written as [:per-transition {label schema}]."
            return CellOutput(by_label=_by_label(form, refuse), hint=hint)
        case _:
            return CellOutput(schema_of(form, refuse))


def _is_older(form: MapForm, labels: Collection[str]) -> bool:
    return bool(form.items) and all(
        name_of(key) in labels
        and isinstance(value, VectorForm)
        and value.items[:1]
        and name_of(value.items[0]) == "map"
        for key, value in form.items
    )


def _by_label(each: MapForm, refuse: Refuse) -> dict[str, JsonSchema]:
    found: dict[str, JsonSchema] = {}
    for key, value in each.items:
        label = name_of(key)
        if label is None:
            message = f"{shown(key)} is no label; write a keyword or a text."
            refuse(FormRefused(key, message, "invalid-schema"))
        else:
            found[label] = schema_of(value, refuse)
    return found


class _SchemaReader:
    """Reads one schema."""

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse

    def of(self, form: Form) -> JsonSchema:
        """Return the JSON Schema of a form."""
        match form:
            case MapForm():
                return self._json_schema(form) if _is_json_part(form) else self.object_of(form)
            case VectorForm(items=(head, *rest)):
                return self._vector(form, head, rest)
            case Symbol(name=name) if name in PREDICATES:
                return dict(PREDICATES[name])
            case Keyword() | Atom(value=str()):
                return self._named(form)
            case Symbol(name=name):
                return self._no(form, _type_meant(name))
        return self._no(form, _SUCH_AS)

    def object_of(self, form: MapForm) -> JsonSchema:
        """Return the schema of an object, from its short form or as it is."""
        if _is_json_object(form):
            return self._json_schema(form)
        entries = [(key, None, value) for key, value in form.items]
        return self._object(entries, {})

    def _named(self, form: Form, options: Mapping[str, Any] | None = None) -> JsonSchema:
        name = name_of(form) or ""
        if name in PLAIN:
            return {**PLAIN[name], **bounds_of(PLAIN[name], options or {})}
        return self._no(form, _type_meant(name))

    def _vector(self, form: VectorForm, head: Form, rest: Sequence[Form]) -> JsonSchema:
        options: dict[str, Any] = {}
        kind = name_of(head) or ""
        if rest and isinstance(rest[0], MapForm) and kind not in _OF_VALUES:
            options, rest = self._options(rest[0]), rest[1:]
        said: dict[str, Any] = {
            word: options.pop(word)
            for word in ("title", "description", "default")
            if word in options
        }
        if kind in _KINDS:
            found = _KINDS[kind](self, form, rest, options)
        elif kind in PLAIN and not rest:
            found = self._named(head, options)
        elif isinstance(head, Symbol) and not rest:
            found = self.of(head)
        else:
            found = self._no(form, _type_meant(_word(head)))
        return {**said, **found}

    def _options(self, form: MapForm) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in form.items:
            name = name_of(key)
            if name is None or "/" in name:
                continue  # What belongs to other tools, such as `:gen/max` or `:error/message`.
            if name not in _OPTIONS:
                self._no(key, f"the options are: {', '.join(_OPTIONS)}")
                continue
            try:
                found[name] = name_of(value) if name == "dispatch" else json_of(value)
            except FormRefused as reason:
                self._refuse(reason)
        return found

    def map(
        self, _form: VectorForm, rest: Sequence[Form], options: Mapping[str, Any]
    ) -> JsonSchema:
        """Return the schema of `[:map [:k :int] ...]`."""
        entries: list[tuple[Form, MapForm | None, Form]] = []
        for part in rest:
            match part:
                case VectorForm(items=(key, value)) if not isinstance(value, MapForm):
                    entries.append((key, None, value))
                case VectorForm(items=(key, MapForm() as written, value)):
                    entries.append((key, written, value))
                case VectorForm(items=(key, MapForm() as value)):
                    entries.append((key, None, value))
                case _:
                    self._no(part, "write [:key :type] or [:key {:optional true} :type]")
        return self._object(entries, options)

    def _object(
        self, entries: Sequence[tuple[Form, MapForm | None, Form]], options: Mapping[str, Any]
    ) -> JsonSchema:
        properties: dict[str, JsonSchema] = {}
        required: list[str] = []
        for key, written, value in entries:
            name = name_of(key)
            if name is None:
                self._no(key, "a key is a keyword or a text")
                continue
            said = self._options(written) if written else {}
            properties[data_key(name)] = self.of(value)
            if not said.get("optional"):
                required.append(data_key(name))
        found: JsonSchema = {"type": "object"}
        if properties:
            found["properties"] = properties
        if required:
            found["required"] = required
        return {**found, "additionalProperties": False} if options.get("closed") else found

    def elements(
        self, form: VectorForm, rest: Sequence[Form], options: Mapping[str, Any]
    ) -> JsonSchema:
        """Return the schema of `[:vector :int]`, `[:sequential ...]` or `[:set ...]`."""
        kind = name_of(form.items[0]) or ""
        found = {**PLAIN[kind], **bounds_of(PLAIN[kind], options)}
        if len(rest) > 1:
            return self._no(form, f"write [:{kind} :type]")
        return {**found, "items": self.of(rest[0])} if rest else found

    def tuple(self, _form: VectorForm, rest: Sequence[Form], _: Mapping[str, Any]) -> JsonSchema:
        """Return the schema of `[:tuple :int :string]`."""
        length = len(rest)
        bounds: JsonSchema = {"type": "array", "minItems": length, "maxItems": length}
        return {**bounds, "prefixItems": [self.of(part) for part in rest]} if rest else bounds

    def values(self, form: VectorForm, rest: Sequence[Form], _: Mapping[str, Any]) -> JsonSchema:
        """Return the schema of `[:enum "a" "b"]` or `[:= 5]`."""
        if not rest:
            return self._no(form, "write the values behind it")
        try:
            return {"enum": [json_of(part) for part in rest]}
        except FormRefused as reason:
            self._refuse(reason)
            return {}

    def bound(self, form: VectorForm, rest: Sequence[Form], _: Mapping[str, Any]) -> JsonSchema:
        """Return the schema of `[:> 5]`."""
        word = _BOUNDS[name_of(form.items[0]) or ""]
        match rest:
            case [Atom(value=int() | float() as number)] if not isinstance(number, bool):
                return {"type": "number", word: number}
            case _:
                return self._no(form, "write one number behind it")

    def maybe(self, form: VectorForm, rest: Sequence[Form], _: Mapping[str, Any]) -> JsonSchema:
        """Return the schema of `[:maybe :int]`."""
        if len(rest) != 1:
            return self._no(form, "write [:maybe :type]")
        inner = self.of(rest[0])
        return {"anyOf": [inner, {"type": "null"}]} if inner else {}

    def several(self, form: VectorForm, rest: Sequence[Form], _: Mapping[str, Any]) -> JsonSchema:
        """Return the schema of `[:or :int :string]` or `[:and ...]`."""
        if not rest:
            return self._no(form, "write the schemas behind it")
        word = "anyOf" if name_of(form.items[0]) == "or" else "allOf"
        return {word: [self.of(part) for part in rest]}

    def denied(self, form: VectorForm, rest: Sequence[Form], _: Mapping[str, Any]) -> JsonSchema:
        """Return the schema of `[:not :int]`."""
        return {"not": self.of(rest[0])} if len(rest) == 1 else self._no(form, "write [:not :type]")

    def map_of(self, form: VectorForm, rest: Sequence[Form], _: Mapping[str, Any]) -> JsonSchema:
        """Return the schema of `[:map-of :string :int]`."""
        if len(rest) != 2:
            return self._no(form, "write [:map-of :string :type]")
        keys, values = (self.of(part) for part in rest)
        found: JsonSchema = {"type": "object", "additionalProperties": values}
        return found if keys in ({}, {"type": "string"}) else {**found, "propertyNames": keys}

    def pattern(self, form: VectorForm, rest: Sequence[Form], _: Mapping[str, Any]) -> JsonSchema:
        """Return the schema of `[:re "^a+$"]`."""
        match rest:
            case [Atom(value=str(text))]:
                return self._checked({"type": "string", "pattern": text}, form)
            case _:
                return self._no(form, 'write [:re "pattern"]')

    def multi(self, form: VectorForm, rest: Sequence[Form], _: Mapping[str, Any]) -> JsonSchema:
        """Return the schema of `[:multi {:dispatch :type} [:a schema] ...]`: one of them."""
        return {"anyOf": list(self._branches(rest))} if rest else self._no(form, "write [:a :type]")

    def _branches(self, rest: Sequence[Form]) -> Iterator[JsonSchema]:
        for part in rest:
            match part:
                case VectorForm(items=(_, value)) | VectorForm(items=(_, MapForm(), value)):
                    yield self.of(value)
                case _:
                    yield self._no(part, "write [:name :type]")

    def _json_schema(self, form: MapForm) -> JsonSchema:
        try:
            schema = json_of(form)
        except FormRefused as reason:
            self._refuse(reason)
            return {}
        return self._checked(schema, form)

    def _checked(self, schema: JsonSchema, form: Form) -> JsonSchema:
        for problem in schema_problems("schema", schema):
            self._refuse(FormRefused(form, problem.message, problem.code))
            return {}
        return schema

    def _no(self, form: Form, instead: str) -> JsonSchema:
        message = f"{shown(form)} is no schema here: {instead}."
        self._refuse(FormRefused(form, message, "invalid-schema"))
        return {}


def _is_json_object(form: MapForm) -> bool:
    """Return whether a map that describes an object is a JSON Schema, and no short form."""
    if name_of(form.get("type")) == "object" or isinstance(form.get("properties"), MapForm):
        return True
    return any(form.get(word) is not None for word in _JSON_WORDS[:3]) or any(
        isinstance(form.get(word), VectorForm) for word in _JSON_WORDS[3:6]
    )


def _is_json_part(form: MapForm) -> bool:
    """Return the same of a map within a schema, where `{"type": "string"}` may stand, too."""
    kind = form.get("type")
    is_typed = (isinstance(kind, Atom) and kind.value in _JSON_TYPES) or (
        isinstance(kind, Keyword) and kind.name in _JSON_TYPES and kind.name not in PLAIN
    )
    return is_typed or _is_json_object(form) or isinstance(form.get("enum"), VectorForm)


_OPTIONS: Final = (
    "optional",
    "closed",
    "min",
    "max",
    "title",
    "description",
    "default",
    "dispatch",
)
_OF_VALUES: Final = ("enum", "=")
_BOUNDS: Final = {
    ">": "exclusiveMinimum",
    ">=": "minimum",
    "<": "exclusiveMaximum",
    "<=": "maximum",
}
_Kind = Callable[[_SchemaReader, VectorForm, Sequence[Form], Mapping[str, Any]], JsonSchema]
_KINDS: Final[Mapping[str, _Kind]] = {
    "map": _SchemaReader.map,
    "vector": _SchemaReader.elements,
    "sequential": _SchemaReader.elements,
    "set": _SchemaReader.elements,
    "tuple": _SchemaReader.tuple,
    "enum": _SchemaReader.values,
    "=": _SchemaReader.values,
    "maybe": _SchemaReader.maybe,
    "or": _SchemaReader.several,
    "and": _SchemaReader.several,
    "not": _SchemaReader.denied,
    "map-of": _SchemaReader.map_of,
    "re": _SchemaReader.pattern,
    "multi": _SchemaReader.multi,
    **dict.fromkeys(_BOUNDS, _SchemaReader.bound),
}


def _word(form: Form) -> str:
    return form.name if isinstance(form, Symbol) else name_of(form) or ""


def _type_meant(written: str) -> str:
    """Return what to write in place of a word that is no type."""
    names = {name: f":{name}" for name in (*PLAIN, *_KINDS)} | {name: name for name in PREDICATES}
    meant = nearest(written, list(names)) if len(written) <= _LONGEST_WORD else None
    return _SUCH_AS if meant is None else f"{names[meant]} may be meant"
