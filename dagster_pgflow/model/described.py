"""JSON Schemas that say of each property what it is for, with an example.

A class says it once: in the lines below `Attributes:` of its docstring, and in `examples`. A
subclass inherits both.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import ModelSchema

Examples = Mapping[str, Any]
"""A value for each field of a class, by the name of the field; booleans and words need none."""

_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.+(?:\n {6,}.+)*)", re.MULTILINE)
_ABOUT: Final = re.compile(r"\n\n(?:Attributes|Example):\n")


class _Describing(GenerateJsonSchema):
    """Generates what pydantic does, and says of each property what its class says."""

    def model_schema(self, schema: ModelSchema) -> dict[str, Any]:
        """Return the JSON Schema of a model."""
        described = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        told, examples = dict(_told(model)), examples_of(model)
        described["description"] = _about(model)
        for name, field in model.model_fields.items():
            written = described["properties"].get(field.alias or name)
            if written is None:
                continue
            if name in told:
                written["description"] = told[name]
            example = [examples[name]] if name in examples else self._words(written)
            if example:
                written["examples"] = example
        return described

    def _words(self, written: Mapping[str, Any]) -> list[Any]:
        """Return an example of what has only a few values: the one that changes something."""
        default = written.get("default")
        match written:
            case {"const": word}:
                return [word]
            case {"enum": words}:
                return [word for word in words if word != default][:1]
            case {"type": "boolean"}:
                return [default is not True]
            case {"anyOf": [one, {"type": "null"}]}:
                return self._words(one)
            case _:
                return []


def described_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of what a document holds in the place of a model."""
    return model.model_json_schema(by_alias=True, schema_generator=_Describing)


def examples_of(model: type) -> Examples:
    """Return the examples of a class: its own, and those that it inherits."""
    given = (vars(one).get("examples", {}) for one in reversed(model.__mro__))
    return {name: value for examples in given for name, value in examples.items()}


def _about(model: type) -> str:
    """Return what a class is, without its attributes."""
    return _ABOUT.split(inspect.getdoc(model) or "", maxsplit=1)[0]


def _told(model: type) -> Iterator[tuple[str, str]]:
    """Yield what is said of each attribute, the word of the class itself last."""
    for one in reversed(model.__mro__):
        _, _, attributes = inspect.cleandoc(one.__doc__ or "").partition("\n\nAttributes:\n")
        for name, sentence in _ATTRIBUTE.findall(attributes):
            yield name, " ".join(sentence.split())
