"""The schema chain: what a cell requires was given on every way to it.

It is an analysis of data flow. What is certainly there behind a node is what is certainly there
behind each edge that leads to it; this is worked out along the order of the ways until nothing
changes, so an edge is looked at as often as loops lie in each other, however many ways there are.
`validate` is about runs: the chain is checked whatever it says.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from dagster_pgflow.dsl.manifest.effects import ANYTHING, INPUT, Effect, Effects, Given
from dagster_pgflow.dsl.manifest.graph import Graph, ManifestEdge
from dagster_pgflow.dsl.manifest.manifest import ENTRY, TERMINALS, Manifest
from dagster_pgflow.dsl.manifest.ways import way_in_words
from dagster_pgflow.dsl.workflow.parts import path_of
from dagster_pgflow.errors import Problem
from dagster_pgflow.validation.types.json_type import JsonType
from dagster_pgflow.validation.types.type_problems import type_problems

_MOST_NAMED: Final = 12


class KnownKeys(NamedTuple):
    """What is known of the data map at one place.

    Attributes:
        certain: Bits of the keys that are there whatever way was taken.
        given: Bits of who may have given them.
    """

    certain: int
    given: int


@dataclass(frozen=True)
class Chain:
    """What is known before each node that can be reached.

    Attributes:
        effects: What each edge does, in bits.
        before: By node.
        work: How many edges were looked at.
    """

    effects: Effects
    before: Mapping[str, KnownKeys]
    by_edge: Mapping[ManifestEdge, Effect]
    work: int


def chain_of(manifest: Manifest, graph: Graph) -> Chain:
    """Work out what is there before each node."""
    effects = Effects(manifest)
    reached = set(graph.order)
    edges = [edge for node in graph.order for edge in graph.leaving[node]]
    raw = {edge: effects.of(edge) for edge in edges}
    entry = effects.at_entry()
    by_edge = {edge: effects.complete(effect) for edge, effect in raw.items()}
    first = _behind(effects.complete(entry), KnownKeys(0, 0))
    entering = {
        node: [edge for edge in graph.entering[node] if edge.source in reached] for node in reached
    }
    before = dict.fromkeys(graph.order, KnownKeys(effects.every, 0))
    dirty, work = set(reached), 0
    while dirty:
        for node in graph.order:
            if node not in dirty:
                continue
            dirty.discard(node)
            certain, given = first if node == ENTRY else (effects.every, 0)
            for edge in entering[node]:
                behind = _behind(by_edge[edge], before[edge.source])
                certain, given = certain & behind.certain, given | behind.given
                work += 1
            if before[node] != (certain, given):
                before[node] = KnownKeys(certain, given)
                dirty.update(edge.target for edge in graph.leaving[node])
    return Chain(effects, before, by_edge, work)


def chain_problems(manifest: Manifest, graph: Graph) -> Iterator[Problem]:
    """Say which keys are missing, or are of another type, and on which way."""
    if not graph.order:
        return
    yield from _written_twice(manifest)
    chain = chain_of(manifest, graph)
    for node in graph.order:
        if node in TERMINALS:
            continue
        for cell in graph.members.get(node, (node,)):
            if cell in manifest.cells:
                yield from _wanted(manifest, graph, chain, node, cell)


def _behind(effect: Effect, facts: KnownKeys) -> KnownKeys:
    if not effect.keeps:
        return KnownKeys(effect.certain, effect.gives)
    return KnownKeys(
        facts.certain | effect.certain, (facts.given & ~effect.replaced) | effect.gives
    )


def _wanted(
    manifest: Manifest, graph: Graph, chain: Chain, node: str, cell: str
) -> Iterator[Problem]:
    schema = manifest.cells[cell].input_schema
    if schema is None:
        return
    wanted, facts = chain.effects.keys_of(schema), chain.before[node]
    if (transformed := chain.effects.before(cell)) is not None:
        facts = _behind(chain.effects.complete(transformed), facts)
    place = path_of(("cells", cell, "schema", "input"))
    for key in wanted.required:
        bit = chain.effects.key_bits[key]
        if not facts.certain & bit:
            yield Problem("missing-key", place, _missing(graph, chain, node, cell, key))
    if facts.given & ANYTHING:
        return  # Somebody who says nothing of itself may have put anything in its place.
    for key, needed in wanted.all.items():
        for giver in _givers(chain.effects, key, facts.given):
            yield from _unfit(cell, key, giver, JsonType(needed, schema))


def _missing(graph: Graph, chain: Chain, node: str, cell: str, key: str) -> str:
    way = _way_without(graph, chain, node, chain.effects.key_bits[key])
    there = chain.effects.names(chain.before[node].certain)
    more = ", ..." if len(there) > _MOST_NAMED else ""
    return (
        f'"{cell}" requires "{key}", which nothing gives on the way {way_in_words(way, node)};'
        f" these are there: {', '.join(there[:_MOST_NAMED]) or 'none'}{more}."
    )


def _way_without(graph: Graph, chain: Chain, node: str, bit: int) -> list[ManifestEdge]:
    """Return a shortest way to a node on which a key is not there in the end."""
    at_entry = chain.effects.complete(chain.effects.at_entry())
    start = (ENTRY, bool(at_entry.certain & bit))
    came: dict[tuple[str, bool], tuple[tuple[str, bool], ManifestEdge] | None] = {start: None}
    waiting = deque([start])
    while waiting and (node, False) not in came:
        place = waiting.popleft()
        for edge in graph.leaving[place[0]]:
            effect = chain.by_edge[edge]
            there = bool(effect.certain & bit) or (effect.keeps and place[1])
            if (edge.target, there) not in came:
                came[edge.target, there] = (place, edge)
                waiting.append((edge.target, there))
    way: list[ManifestEdge] = []
    step = came.get((node, False))
    while step is not None:
        way.append(step[1])
        step = came[step[0]]
    return way[::-1]


def _givers(effects: Effects, key: str, given: int) -> Iterator[Given]:
    bits = effects.bits_of_key[key] & given
    while bits:
        lowest = bits & -bits
        yield effects.given[lowest]
        bits ^= lowest


def _unfit(cell: str, key: str, giver: Given, needed: JsonType) -> Iterator[Problem]:
    place = path_of(("cells", cell, "schema", "input"))
    for found in type_problems(JsonType(giver.schema), needed):
        inner = ".".join((key, *found.place))
        who = "the input of the flow" if giver.by == INPUT else f'"{giver.by}"'
        message = (
            f'"{cell}" cannot take "{inner}" as {who} gives it: {found.reason};'
            " change one of the two schemas."
        )
        yield Problem("wrong-key-type", place, message)
        return


def _written_twice(manifest: Manifest) -> Iterator[Problem]:
    effects = Effects(manifest)
    for name, join in manifest.joins.items():
        writer: dict[str, str] = {}
        for member in join.cells if join.merge is None else ():
            if member not in manifest.cells:
                continue
            for key in effects.written_by(member):
                if writer.setdefault(key, member) != member:
                    message = (
                        f'"{writer[key]}" and "{member}" both write "{key}"; write a handler'
                        ' in "merge" that says what becomes of it.'
                    )
                    yield Problem("key-written-twice", path_of(("joins", name)), message)
