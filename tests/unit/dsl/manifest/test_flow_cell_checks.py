"""What a manifest says of a cell that runs a flow as if it had a handler is refused."""

from dagster_pgflow.dsl.manifest.flow_cell_checks import flow_cell_problems
from dagster_pgflow.dsl.manifest.manifest import Cell, Join, Resilience
from tests.unit.dsl.manifest.manifests import manifest

PAY = Cell("pay", flow="pay", params={"a": 1}, requires=("db",))


def places(ways: str, **changes: object) -> list[str]:
    return [problem.path for problem in flow_cell_problems(manifest(ways, **changes))]


def test_what_only_handlers_have_is_told_with_its_place() -> None:
    said = places(
        "start > success > end, start > timeout > end",
        cells={"start": PAY, "success": Cell("do", params={"a": 1})},
        timeouts={"start": 1000},
        resilience={
            "start": Resilience(timeout_ms=1, retry={}, circuit_breaker={}, bulkhead={}),
            "success": Resilience(timeout_ms=1),
        },
    )
    assert said == [
        "cells.start.params",
        "cells.start.requires",
        "timeouts.start",
        "resilience.start.timeout",
        "resilience.start.retry",
        "resilience.start.circuit-breaker",
        "resilience.start.bulkhead",
    ]


def test_members_that_run_a_flow_have_no_time_limit_of_their_join() -> None:
    cells = {"m1": Cell("pay", flow="pay")}
    joins = {"j": Join(("m1", "m2"), timeout_ms=10)}
    assert places("start > j > end", cells=cells, joins=joins) == ["joins.j.timeout-ms"]


def test_what_flows_have_is_left_alone() -> None:
    cells = {"start": Cell("pay", flow="pay", doc="Pays.", output_schema={"type": "object"})}
    assert places("start > end", cells=cells) == []
