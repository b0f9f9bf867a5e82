"""Drawn manifests as documents: as an object, as YAML, and as EDN."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from dagster_pgflow.dsl.manifest.manifest import (
    MAX_PASSES,
    UNLABELLED,
    Cell,
    Interceptor,
    Manifest,
    Transforms,
)
from tests.manifests_reference.drawing import Drawn, DrawnFragment

EXIT = "_exit/"
ENTRY_INSIDE = "begin"


def as_object(drawn: Drawn) -> dict[str, Any]:
    """Return a manifest as an object, with its fragments apart."""
    manifest, apart = drawn.manifest, {cell for one in drawn.fragments for cell in one.cells}
    written: dict[str, Any] = {"id": manifest.id}
    written["cells"] = {
        name: _cell(cell) for name, cell in manifest.cells.items() if name not in apart
    }
    written["edges"] = {
        name: _edges(manifest, name, edges)
        for name, edges in manifest.edges.items()
        if name not in apart
    }
    written["dispatches"] = {
        name: [[one.label, one.predicate] for one in asked]
        for name, asked in manifest.dispatches.items()
        if name not in apart
    }
    written["fragments"] = {one.name: _fragment(drawn, one) for one in drawn.fragments}
    written["joins"] = {
        name: {"cells": [*join.cells], "strategy": join.strategy}
        | ({"merge": join.merge} if join.merge else {})
        for name, join in manifest.joins.items()
    }
    written["error-groups"] = {
        name: {"cells": [*group.cells], "on-error": group.on_error}
        for name, group in manifest.error_groups.items()
    }
    written["timeouts"] = dict(manifest.timeouts)
    written["interceptors"] = [_interceptor(one) for one in manifest.interceptors]
    written["transforms"] = {cell: _transforms(one) for cell, one in manifest.transforms.items()}
    if manifest.max_passes != MAX_PASSES:
        written["max-passes"] = manifest.max_passes
    if not manifest.propagate_keys:
        written["propagate-keys"] = False
    return {key: value for key, value in written.items() if value not in ({}, [])}


def as_yaml(drawn: Drawn) -> str:
    """Return a manifest as YAML."""
    return yaml.safe_dump(as_object(drawn), sort_keys=False, allow_unicode=True)


def as_edn(drawn: Drawn) -> str:
    """Return a manifest as EDN, with its predicates in the words of Clojure."""
    return _edn(as_object(drawn), "", {cel: one.edn for cel, one in drawn.predicates.items()})


def _cell(cell: Cell) -> Any:
    if cell.flow is not None:
        return {"id": cell.id, "flow": cell.flow}
    if not cell.params:
        return cell.id
    return {"id": cell.id, "params": dict(cell.params)}


def _edges(manifest: Manifest, name: str, targets: Mapping[str, str]) -> Any:
    """Return the edges of a cell or join, with how often the loops that they close are passed."""
    if set(targets) == {UNLABELLED}:
        return targets[UNLABELLED]
    most = manifest.max_passes_of
    return {
        label: {"to": to, "max-passes": most[name, label]} if (name, label) in most else to
        for label, to in targets.items()
    }


def _fragment(drawn: Drawn, one: DrawnFragment) -> dict[str, Any]:
    manifest = drawn.manifest
    exits: dict[str, str] = {}

    def inside(name: str) -> str:
        return ENTRY_INSIDE if name == one.entry else name

    def target(to: str) -> str:
        if to in one.cells:
            return inside(to)
        taken = next((name for name, known in exits.items() if known == to), f"x{len(exits)}")
        exits[taken] = to
        return f"{EXIT}{taken}"

    edges = {
        inside(cell): _edges(
            manifest, cell, {label: target(to) for label, to in manifest.edges[cell].items()}
        )
        for cell in one.cells
    }
    fragment = {
        "id": f"{one.name}-inside",
        "entry": ENTRY_INSIDE,
        "exits": list(exits),
        "cells": {inside(cell): _cell(manifest.cells[cell]) for cell in one.cells},
        "edges": edges,
        "dispatches": {
            inside(cell): [[asked.label, asked.predicate] for asked in manifest.dispatches[cell]]
            for cell in one.cells
            if cell in manifest.dispatches
        },
    }
    return {
        "fragment": {key: value for key, value in fragment.items() if value != {}},
        "as": one.entry,
        "exits": exits,
    }


def _interceptor(one: Interceptor) -> dict[str, Any]:
    scope: Any = "all"
    if one.scope.id_match is not None:
        scope = {"id-match": one.scope.id_match}
    elif one.scope.cells is not None:
        scope = {"cells": [*one.scope.cells]}
    hooks = {"pre": one.pre, "post": one.post}
    return {"id": one.id, "scope": scope} | {key: fn for key, fn in hooks.items() if fn}


def _transforms(one: Transforms) -> dict[str, Any]:
    both = {"input": one.input, "output": one.output}
    return {side: {"fn": given.fn} for side, given in both.items() if given}


# EDN: keys are keywords, and so are names of cells, labels and handlers.


def _edn(value: Any, key: str, predicates: Mapping[str, str]) -> str:
    match value:
        case dict():
            inside = (
                f":{name} {_edn_params(part) if name == 'params' else _edn(part, name, predicates)}"
                for name, part in value.items()
            )
            return f"{{{' '.join(inside)}}}"
        case [str() as label, str() as predicate] if key.startswith("asked"):
            return f"[:{label} {_edn_predicate(predicate, predicates)}]"
        case list():
            inside_key = "asked" if key == "asked" or _is_asked(value) else key
            return f"[{' '.join(_edn(part, inside_key, predicates) for part in value)}]"
        case str() if key == "id-match":
            return json.dumps(value)
        case str():
            return f":{value}"
        case _:
            return json.dumps(value)


def _is_asked(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(part, list) for part in value)


def _edn_predicate(predicate: str, predicates: Mapping[str, str]) -> str:
    if predicate == "true":
        return "(constantly true)"
    return f"(fn [d] {predicates[predicate]})"


def _edn_params(value: Any) -> str:
    match value:
        case dict():
            inside = (f":{name} {_edn_params(part)}" for name, part in value.items())
            return f"{{{' '.join(inside)}}}"
        case list():
            return f"[{' '.join(map(_edn_params, value))}]"
        case None:
            return "nil"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return json.dumps(value)
