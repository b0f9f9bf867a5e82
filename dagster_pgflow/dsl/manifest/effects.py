"""What becomes of the keys of the data map on each edge, as bits: what the schema chain adds up.

A key is a bit, and so is each place that gives one: a cell, or the input of a run. A cell without
any schema says nothing of itself: behind it anything may be there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dagster_pgflow.dsl.manifest.graph import ManifestEdge
from dagster_pgflow.dsl.manifest.manifest import (
    ENTRY,
    FAILURE,
    TIMEOUT,
    UNLABELLED,
    Cell,
    Manifest,
    Transform,
)
from dagster_pgflow.dsl.manifest.object_keys import ObjectKeys, object_keys
from dagster_pgflow.model.steps.fields import JsonSchema

ANYTHING: Final = 1
"""The bit of all keys that nobody has declared, and of whoever gives them."""

INPUT: Final = ""
"""Who gives the keys that a run begins with."""

ERROR: Final = "error"
JOIN_ERROR: Final = "join-error"
_ERROR_KEYS: Final = ObjectKeys({ERROR: {"type": "object"}})
_TIMEOUT_KEYS: Final = ObjectKeys({TIMEOUT: {"type": "boolean"}})
_JOIN_ERROR_KEYS: Final = ObjectKeys({JOIN_ERROR: {"type": "array"}})


@dataclass(frozen=True)
class Given:
    """A key that somebody gives.

    Attributes:
        by: The cell, or `INPUT`.
        key: The key.
        schema: What it may be.
    """

    by: str
    key: str
    schema: Any = field(compare=False)


@dataclass(frozen=True)
class Effect:
    """What an edge does to the keys.

    Attributes:
        keeps: Whether what was there lives on.
        certain: The keys that are there behind it.
        replaced: Who gave these keys before.
        gives: Who gives them now, or may.
    """

    keeps: bool
    certain: int = 0
    replaced: int = 0
    gives: int = 0


class Effects:
    """The effects of the edges of one manifest, and the bits that they speak of."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._keys: dict[int, ObjectKeys] = {}
        self.key_bits: dict[str, int] = {}
        self.given: dict[int, Given] = {}
        self.bits_of_key: dict[str, int] = {}
        self._key_of: dict[int, str] = {}
        self._bit_of: dict[tuple[str, str, int], int] = {}
        self.every = ANYTHING
        for cell in manifest.cells.values():
            self._learn(self.keys_of(cell.input_schema))

    def keys_of(self, schema: JsonSchema | None) -> ObjectKeys:
        """Return the keys that a schema of the manifest names."""
        if id(schema) not in self._keys:
            self._keys[id(schema)] = object_keys(schema)
        return self._keys[id(schema)]

    def at_entry(self) -> Effect:
        """Return what a run begins with: all that its schemas declare is given."""
        start = self._manifest.cells.get(ENTRY, Cell(""))
        if self._manifest.input_schema is None and start.input_schema is None and _is_silent(start):
            return self._anything(keeps=False)
        declared = self.keys_of(self._manifest.input_schema).all
        keys = {**self.keys_of(start.input_schema).all, **declared}
        return self._effect(INPUT, ObjectKeys(keys), keeps=False)

    def of(self, edge: ManifestEdge) -> Effect:
        """Return the effect of an edge."""
        manifest, node = self._manifest, edge.source
        if node in manifest.joins:
            return self._of_join(node, edge.label)
        cell = manifest.cells[node]
        if edge.label is None:
            return self._effect(node, _ERROR_KEYS, keeps=True)
        if edge.label == TIMEOUT and node in manifest.timeouts:
            return self._effect(node, _TIMEOUT_KEYS, keeps=True)
        if cell.flow is not None:
            failed = edge.label == FAILURE
            found = self._effect(
                node, _ERROR_KEYS if failed else self._output(cell, edge.label), keeps=True
            )
            return self._with_anything(found)
        found = self._effect(node, self._output(cell, edge.label), keeps=manifest.propagate_keys)
        for transform in self._transforms(node, edge.label):
            found = self._transformed(found, node, transform)
        return self._with_anything(found) if _is_silent(cell) else found

    def before(self, cell: str) -> Effect | None:
        """Return what a transform of the input of a cell does before that sees it."""
        transforms = self._manifest.transforms.get(cell)
        if transforms is None or transforms.input is None:
            return None
        return self._transformed(Effect(keeps=True), cell, transforms.input)

    def written_by(self, member: str) -> dict[str, Any]:
        """Return the keys that a member of a join may write, with what each may be."""
        return self._output(self._manifest.cells[member], UNLABELLED).all

    def complete(self, effect: Effect) -> Effect:
        """Return an effect that replaces whoever gives its keys; all others must be known now."""
        replaced = 0
        for key in self.names(effect.certain):
            replaced |= self.bits_of_key[key]
        certain = self.every if effect.certain & ANYTHING else effect.certain
        return Effect(effect.keeps, certain, replaced, effect.gives)

    def names(self, certain: int) -> list[str]:
        """Return the keys of some bits."""
        keys, bits = [], certain & self.every & ~ANYTHING
        while bits:
            lowest = bits & -bits
            keys.append(self._key_of[lowest])
            bits ^= lowest
        return keys

    def _of_join(self, name: str, label: str | None) -> Effect:
        if label == FAILURE:
            return self._effect(name, _JOIN_ERROR_KEYS, keeps=True)
        manifest, join = self._manifest, self._manifest.joins[name]
        found = Effect(keeps=manifest.propagate_keys)
        if join.merge is not None:
            return self._with_anything(found)
        for member in join.cells:
            cell = manifest.cells.get(member)
            if cell is None:
                continue
            added = self._effect(member, self._output(cell, UNLABELLED), keeps=True)
            found = _both(found, added)
            for transform in self._transforms(member, UNLABELLED):
                found = self._transformed(found, member, transform)
            if _is_silent(cell) or cell.flow is not None:
                found = self._with_anything(found)
        return found

    def _output(self, cell: Cell, label: str | None) -> ObjectKeys:
        """Return what a cell adds when an edge is taken."""
        if label is not None and label in cell.output_schemas:
            return _merged(
                self.keys_of(cell.output_schema), self.keys_of(cell.output_schemas[label])
            )
        if label == UNLABELLED and cell.output_schemas:
            each = [self.keys_of(schema) for schema in cell.output_schemas.values()]
            return _merged(self.keys_of(cell.output_schema), _shared(each))
        return self.keys_of(cell.output_schema)

    def _transforms(self, cell: str, label: str | None) -> Iterable[Transform]:
        transforms = self._manifest.transforms.get(cell)
        if transforms is None:
            return ()
        by_label = transforms.outputs.get(label) if label is not None else None
        return [each for each in (transforms.output, by_label) if each is not None]

    def _transformed(self, effect: Effect, cell: str, transform: Transform) -> Effect:
        if transform.schema is None:
            return self._with_anything(effect)
        return _both(effect, self._effect(cell, self.keys_of(transform.schema), keeps=True))

    def _effect(self, by: str, keys: ObjectKeys, *, keeps: bool) -> Effect:
        self._learn(keys)
        gives = replaced = certain = 0
        for key, schema in keys.all.items():
            gives |= self._bit(by, key, schema)
        for key in keys.required:
            certain |= self.key_bits[key]
            replaced |= self.bits_of_key[key]
        return Effect(keeps, certain, replaced, gives)

    def _anything(self, *, keeps: bool) -> Effect:
        return Effect(keeps, ANYTHING, 0, ANYTHING)

    def _with_anything(self, effect: Effect) -> Effect:
        return _both(effect, self._anything(keeps=True))

    def _learn(self, keys: ObjectKeys) -> None:
        for key in keys.all:
            if key not in self.key_bits:
                bit = 1 << (len(self.key_bits) + 1)
                self.key_bits[key] = bit
                self._key_of[bit] = key
                self.bits_of_key[key] = 0
                self.every |= bit

    def _bit(self, by: str, key: str, schema: Any) -> int:
        place = (by, key, id(schema))
        if place not in self._bit_of:
            bit = 1 << (len(self._bit_of) + 1)
            self._bit_of[place] = bit
            self.given[bit] = Given(by, key, schema)
            self.bits_of_key[key] |= bit
        return self._bit_of[place]


def _both(first: Effect, second: Effect) -> Effect:
    return Effect(
        first.keeps,
        first.certain | second.certain,
        first.replaced | second.replaced,
        (first.gives & ~second.replaced) | second.gives,
    )


def _merged(first: ObjectKeys, second: ObjectKeys) -> ObjectKeys:
    return ObjectKeys({**first.required, **second.required}, {**first.optional, **second.optional})


def _shared(each: list[ObjectKeys]) -> ObjectKeys:
    certain = set.intersection(*(set(keys.required) for keys in each))
    known: Mapping[str, Any] = {key: said for keys in each for key, said in keys.all.items()}
    return ObjectKeys(
        {key: said for key, said in known.items() if key in certain},
        {key: said for key, said in known.items() if key not in certain},
    )


def _is_silent(cell: Cell) -> bool:
    """Return whether a cell has no schema at all, so that it may require and add anything."""
    return cell.input_schema is None and cell.output_schema is None and not cell.output_schemas
