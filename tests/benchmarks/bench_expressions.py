"""How many expressions are answered in a second, compiled once and compiled each time."""

import time
from collections.abc import Mapping
from typing import Any

from dagster_pgflow.expressions.cel import expression, value_expression
from tests.benchmarks.measure import compare, show

TIMES = 2_000
RUNS = 5
ORDER: Mapping[str, Any] = {"plan": "pro", "cents": 1250, "lines": [{"sku": "a", "n": 2}] * 3}
VALUES = {"output": ORDER, "item": ORDER, "index": 3}
CONDITION = "$.cents > 1000 && $.plan in ['pro', 'team']"
VALUE = "{'sku': item.lines.map(l, l.sku), 'total': item.cents * 2, 'n': index}"


def bench_expressions() -> None:
    """Prints how many conditions and values are answered in a second."""
    rows = []
    for what, text, known, holds in (
        ("condition", CONDITION, expression, True),
        ("value", VALUE, value_expression, False),
    ):

        def once(text: str = text, known: Any = known, holds: bool = holds) -> None:
            for _ in range(TIMES):
                asked = known(text)
                _ = asked.holds(VALUES) if holds else asked.value(VALUES)

        def each_time(text: str = text, known: Any = known, holds: bool = holds) -> None:
            for _ in range(TIMES // 20):
                asked = known.__wrapped__(text)
                _ = asked.holds(VALUES) if holds else asked.value(VALUES)

        once()
        result = compare(what, once, each_time, RUNS, time.process_time)
        ours, plain = TIMES / result.ours, TIMES / 20 / result.plain
        rows.append([what, f"{ours:,.0f}", f"{plain:,.0f}", f"{ours / plain:.0f} times"])
    show(
        "Expressions in CEL answered in a second of processor time; medians",
        ["", "compiled once", "compiled each time", "quicker"],
        rows,
    )
