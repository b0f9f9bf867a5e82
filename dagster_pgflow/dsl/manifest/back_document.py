"""Flat manifests as documents in YAML or JSON, from which the same manifests are read."""

from collections.abc import Mapping
from typing import Any

from dagster_pgflow.dsl.manifest.manifest import (
    MAX_PASSES,
    UNLABELLED,
    Cell,
    Interceptor,
    Join,
    Manifest,
    Resilience,
    Transform,
    Transforms,
)

Document = dict[str, Any]


def document_of_manifest(manifest: Manifest) -> Document:
    """Return the document that says what a manifest says, without what goes without saying.

    Args:
        manifest: A sound manifest.
    """
    return _there(
        {
            "id": manifest.id,
            "doc": manifest.doc,
            "input-schema": manifest.input_schema,
            "propagate-keys": None if manifest.propagate_keys else False,
            "validate": None if manifest.validate == "strict" else manifest.validate,
            "coerce": manifest.coerce or None,
            "strict": manifest.strict or None,
            "max-passes": None if manifest.max_passes == MAX_PASSES else manifest.max_passes,
            "cells": {name: _cell(cell) for name, cell in manifest.cells.items()},
            "edges": {name: _targets(manifest, name) for name in manifest.edges},
            "dispatches": {
                name: [[one.label, one.predicate] for one in asked]
                for name, asked in manifest.dispatches.items()
            },
            "joins": {name: _join(join) for name, join in manifest.joins.items()},
            "error-groups": {
                name: {"cells": [*group.cells], "on-error": group.on_error}
                for name, group in manifest.error_groups.items()
            },
            "timeouts": dict(manifest.timeouts),
            "resilience": {name: _resilience(said) for name, said in manifest.resilience.items()},
            "interceptors": [_interceptor(one) for one in manifest.interceptors],
            "transforms": {name: _transforms(one) for name, one in manifest.transforms.items()},
        }
    )


def _there(fields: Mapping[str, Any]) -> Document:
    """Return the fields that say something: `false` and 0 do."""
    return {
        key: value
        for key, value in fields.items()
        if value is not None and value not in ("", {}, [])
    }


def _cell(cell: Cell) -> Document | str:
    output: Any = cell.output_schema
    if cell.output_schemas:
        output = ["per-transition", dict(cell.output_schemas)]
    declared = {"on-error": cell.on_error} if cell.declares_on_error else {}
    said = _there(
        {
            "flow": cell.flow if cell.flow != cell.id else None,
            "doc": cell.doc,
            "schema": "inherit"
            if cell.inherits
            else _there({"input": cell.input_schema, "output": output}),
            "params": dict(cell.params),
            "requires": [*cell.requires],
        }
    )
    said |= declared
    if cell.halt is not None:
        return {"halt": _with_dashes(cell.halt), **said}
    return {"id": cell.id, **said} if said else cell.id


def _targets(manifest: Manifest, name: str) -> Document | str:
    targets = manifest.edges[name]
    passes = manifest.max_passes_of
    if [*targets] == [UNLABELLED]:
        return targets[UNLABELLED]
    return {
        label: {"to": target, "max-passes": passes[name, label]}
        if (name, label) in passes
        else target
        for label, target in targets.items()
    }


def _join(join: Join) -> Document:
    return _there(
        {
            "cells": [*join.cells],
            "strategy": None if join.strategy == "parallel" else join.strategy,
            "merge": join.merge,
            "timeout-ms": join.timeout_ms,
        }
    )


def _resilience(said: Resilience) -> Document:
    return _there(
        {
            "timeout": said.timeout_ms,
            "retry": _with_dashes(said.retry),
            "circuit-breaker": _guard(said.circuit_breaker),
            "bulkhead": _guard(said.bulkhead),
            "rate-limiter": _guard(said.rate_limiter),
        }
    )


def _guard(options: Mapping[str, object] | None) -> Document | bool | None:
    """Return a guard; one that says nothing of its own is still there."""
    return True if options == {} else _with_dashes(options)


def _with_dashes(options: Mapping[str, object] | None) -> Document | None:
    if options is None:
        return None
    return {name.replace("_", "-"): value for name, value in options.items()}


def _interceptor(one: Interceptor) -> Document:
    scope = _there(
        {
            "id-match": one.scope.id_match,
            "cells": None if one.scope.cells is None else [*one.scope.cells],
        }
    )
    return _there({"id": one.id, "scope": scope, "pre": one.pre, "post": one.post})


def _transforms(transforms: Transforms) -> Document:
    named = {"input": transforms.input, "output": transforms.output}
    labelled = {label: {"output": _transform(one)} for label, one in transforms.outputs.items()}
    return {key: _transform(one) for key, one in named.items() if one} | labelled


def _transform(one: Transform) -> Document:
    return _there({"fn": one.fn, "schema": one.schema})
