"""A concurrency key can be computed from the input, and a limit per key has one."""

from collections.abc import Iterator

from dagster_pgflow.errors import InvalidExpression, Problem
from dagster_pgflow.expressions.cel import value_expression
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import KEY_ROOTS
from dagster_pgflow.validation.rule import KnownFlows


def concurrency_keys_are_values(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check the expression, and that whoever limits the runs of a key says what that is."""
    options = flow.options
    if options.concurrency_key is not None:
        try:
            value_expression(options.concurrency_key, KEY_ROOTS)
        except InvalidExpression as invalid:
            yield Problem("invalid-expression", "options.concurrency_key", str(invalid))
    elif options.max_concurrent_runs_per_key is not None:
        yield Problem(
            "limit-without-key",
            "options.max_concurrent_runs_per_key",
            "max_concurrent_runs_per_key needs a concurrency_key, such as `input.customer`; add"
            " one, or write max_concurrent_runs for all runs of the flow.",
        )
