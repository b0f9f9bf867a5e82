"""What a cell does, as fields of a step: handler, params, hooks, schemas, patience."""

import math
from fnmatch import fnmatchcase
from typing import Any

from dagster_pgflow.dsl.manifest.manifest import Interceptor, Manifest, Resilience, Transforms
from dagster_pgflow.model.guards import GUARDS
from dagster_pgflow.model.options import MS, timeout_of

_NOTHING = Resilience()


def work_fields(manifest: Manifest, name: str) -> dict[str, Any]:
    """Return the fields of the step that does the work of a cell with a handler.

    Args:
        manifest: The manifest.
        name: The name of the cell.
    """
    cell = manifest.cells[name]
    schemas = {"input_schema": cell.input_schema, "output_schema": cell.output_schema}
    given = {key: schema for key, schema in schemas.items() if schema is not None}
    fields: dict[str, Any] = {"handler": cell.id, **given, **hooks(manifest, name)}
    fields |= _guards_of(manifest, name)
    if cell.params:
        fields["params"] = dict(cell.params)
    if cell.requires:
        fields["requires"] = cell.requires
    if given or cell.output_schemas:
        fields |= {"check_schemas": manifest.validate, "coerce": manifest.coerce}
    return fields


def halt_fields(manifest: Manifest, name: str, *, keeps: bool) -> dict[str, Any]:
    """Return the fields of the step of a cell that halts for a person.

    Args:
        manifest: The manifest.
        name: The name of the cell.
        keeps: Whether the answer is laid over what the cell received.
    """
    fields = dict(manifest.cells[name].halt or {})
    if name in manifest.timeouts:
        fields["deadline"] = math.ceil(manifest.timeouts[name] / MS)
    return fields | ({"keep_input": True} if keeps else {})


def options_of(manifest: Manifest, name: str, join_timeout_ms: int | None = None) -> dict[str, Any]:
    """Return the options of the step of a cell.

    Args:
        manifest: The manifest.
        name: The name of the cell.
        join_timeout_ms: What its join says, where it is a member of one.
    """
    said = manifest.resilience.get(name, _NOTHING)
    options: dict[str, Any] = dict(said.retry or {})
    times = (said.timeout_ms, manifest.timeouts.get(name), join_timeout_ms)
    limits = [time for time in times if time is not None]
    if limits:
        options |= timeout_of(min(limits))
    return options


def _guards_of(manifest: Manifest, name: str) -> dict[str, dict[str, object]]:
    said = manifest.resilience.get(name, _NOTHING)
    given = {guard: getattr(said, guard) for guard in GUARDS}
    return {guard: dict(settings) for guard, settings in given.items() if settings is not None}


def hooks(manifest: Manifest, name: str) -> dict[str, tuple[str, ...]]:
    """Return the handlers before and behind that of a cell, where there are some.

    Data passes interceptors from the outside to the inside and back; the transforms of a cell are
    inside of all of them.
    """
    around = [one for one in manifest.interceptors if reaches(one, manifest, name)]
    own = manifest.transforms.get(name, Transforms())
    before = [one.pre for one in around if one.pre] + ([own.input.fn] if own.input else [])
    after = [own.output.fn] if own.output else []
    after += [one.post for one in reversed(around) if one.post]
    named = {"before": tuple(before), "after": tuple(after)}
    return {field: handlers for field, handlers in named.items() if handlers}


def reaches(interceptor: Interceptor, manifest: Manifest, name: str) -> bool:
    """Return whether an interceptor is about a cell."""
    scope = interceptor.scope
    if scope.cells is not None:
        return name in scope.cells
    if scope.id_match is not None:
        return fnmatchcase(manifest.cells[name].id, _only_stars(scope.id_match))
    return True


def _only_stars(pattern: str) -> str:
    """Return a pattern in which nothing but `*` stands for something else."""
    return "".join(f"[{sign}]" if sign in "?[" else sign for sign in pattern)


def about_cell(manifest: Manifest, name: str, slug: str) -> str:
    """Return the description of the step of a cell; a name that is no slug stands in it."""
    doc = manifest.cells[name].doc
    return doc or ("" if name == slug else f'Cell "{name}".')
