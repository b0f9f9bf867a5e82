"""Cells that run a flow: what is said of handlers means nothing for them, and is refused."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from dagster_pgflow.dsl.manifest.manifest import Manifest, Resilience
from dagster_pgflow.dsl.workflow.parts import path_of
from dagster_pgflow.errors import Problem

_RESILIENCE: Final = {one.name: one.name.removesuffix("_ms") for one in fields(Resilience)}


def flow_cell_problems(manifest: Manifest) -> Iterator[Problem]:
    """Say what a manifest says of cells that run a flow and no flow could do."""
    for name, cell in manifest.cells.items():
        if cell.flow is None:
            continue
        for place in _said_in_vain(manifest, name):
            message = (
                f'"{name}" runs the flow "{cell.flow}", and only cells with a handler have this;'
                " say it of the cells of that flow."
            )
            yield Problem("not-of-a-flow", path_of(place), message)


def _said_in_vain(manifest: Manifest, name: str) -> Iterator[tuple[str, ...]]:
    """Yield the places of what is said of a cell with a flow as if it had a handler."""
    cell, said = manifest.cells[name], manifest.resilience.get(name, Resilience())
    if cell.params:
        yield "cells", name, "params"
    if cell.requires:
        yield "cells", name, "requires"
    if name in manifest.timeouts:
        yield "timeouts", name
    for field, written in _RESILIENCE.items():
        if getattr(said, field) is not None:
            yield "resilience", name, written.replace("_", "-")
    for join, given in manifest.joins.items():
        if name in given.cells and given.timeout_ms is not None:
            yield "joins", join, "timeout-ms"
