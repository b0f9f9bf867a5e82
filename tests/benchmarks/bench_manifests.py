"""How long it takes to check a manifest, by the number of its cells."""

import time
from typing import Final

from dagster_pgflow.dsl.manifest.checking import problems_of
from dagster_pgflow.dsl.manifest.manifest import Cell, Constraint, Dispatch, Manifest
from tests.benchmarks.measure import median_seconds, show

CELL_COUNTS: Final = (100, 1_000, 10_000)
EXPECTED_MS: Final = {100: 10, 1_000: 100, 10_000: 2_000}
DIAMONDS: Final = 40
RUNS: Final = {100: 50, 1_000: 15, 10_000: 3}


def bench_manifests() -> None:
    """Prints one line for each number of cells."""
    show(
        "Checking a manifest with up to 40 forks in a row and ten constraints; processor time",
        ["cells", "ways", "checked in", "expected"],
        [_row(count) for count in CELL_COUNTS],
    )


def _row(count: int) -> list[str]:
    forks = min(DIAMONDS, count // 8)
    manifest = manifest_of(count, forks)
    assert problems_of(manifest) == []
    seconds = median_seconds(lambda: problems_of(manifest), RUNS[count], time.process_time)
    return [str(count), f"2^{forks}", f"{seconds * 1000:.1f} ms", f"{EXPECTED_MS[count]} ms"]


def manifest_of(count: int, forks: int) -> Manifest:
    """Returns a manifest of some cells in a row and then of forks that meet again.

    Each cell requires the key of the first one, and adds a key.
    """
    row = [f"row{number}" for number in range(count - 4 * forks - 1)]
    edges: dict[str, dict[str, str]] = {}
    dispatches: dict[str, tuple[Dispatch, ...]] = {}
    for cell, behind in zip(["start", *row], [*row, "fork0"], strict=True):
        edges[cell] = {"": behind}
    for number in range(forks):
        fork, yes, no, meet = (f"{part}{number}" for part in ("fork", "yes", "no", "meet"))
        edges |= {fork: {"yes": yes, "default": no}, yes: {"": meet}, no: {"": meet}}
        edges[meet] = {"": f"fork{number + 1}" if number < forks - 1 else "end"}
        dispatches[fork] = (Dispatch("yes", "data.sum > 5"), Dispatch("default", "true"))
    first = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
    cells = {
        cell: Cell(
            "work",
            input_schema=first,
            output_schema={"type": "object", "properties": {cell: {}}, "required": [cell]},
        )
        for cell in edges
    }
    constraints = tuple(
        Constraint("must-follow", (row[number], f"meet{number}"), f"constraints[{number}]")
        for number in range(10)
    )
    return Manifest("bench", cells, edges, dispatches=dispatches, constraints=constraints)
