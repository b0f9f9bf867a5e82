"""`dagster-pgflow test`: run a flow with mocks, as cases in files say, and compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import as_json, print_json
from dagster_pgflow.cli.flow_files import counted
from dagster_pgflow.cli.flow_under_test import chosen, flows_under_test
from dagster_pgflow.cli.handler_modules import handlers_of
from dagster_pgflow.errors import PgflowError
from dagster_pgflow.model.defaults import UNASKED
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.handlers import Handler

if TYPE_CHECKING:
    from dagster_pgflow.testing import TestResult
    from dagster_pgflow.testing.cases import Case
    from dagster_pgflow.testing.checking import Discrepancy

INDENT = "      "


@dataclass(frozen=True)
class CaseOutcome:
    """What became of a case.

    Attributes:
        name: The case.
        discrepancies: What is not as it expects.
        result: What became of its run; None where it could not be run.
        refusal: Why it could not be run.
    """

    name: str
    discrepancies: Sequence["Discrepancy"] = ()
    result: "TestResult | None" = None
    refusal: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether all is as expected."""
        return not self.discrepancies and self.refusal is None


@command_with_examples(
    "test",
    "test flows/order.yaml --case tests/order_cases.yaml --handlers shop.handlers",
    "test order --case cases.yaml --explain",
    "test order.py --with payment.yaml --case cases.yaml --json",
)
@click.argument("flow")
@click.option(
    "--case",
    "case_files",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    required=True,
    help="A file with cases.",
)
@click.option(
    "--handlers",
    "modules",
    metavar="MODULE",
    multiple=True,
    help="A module with handlers, for the steps that are not mocked.",
)
@click.option(
    "--with",
    "more_files",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="A file with flows that FLOW contains.",
)
@click.option(
    "--only-mocks",
    is_flag=True,
    help="Call no handler: a case that comes to one without a mock fails.",
)
@click.option("--explain", is_flag=True, help="Say of each run what became of it, and why.")
@as_json
def command(
    flow: str,
    case_files: tuple[Path, ...],
    modules: tuple[str, ...],
    more_files: tuple[Path, ...],
    *,
    only_mocks: bool,
    explain: bool,
    wants_json: bool,
) -> None:
    """Run FLOW as cases say, with mocked steps, and compare what becomes of it.

    FLOW is a file, a stored flow (order), or one of its versions (order@3). Nothing is stored, no
    Dagster has to run, and nothing is waited for: delays and sleeps pass at once. Exit code 1 means
    that something is not as a case expects.
    """
    from dagster_pgflow.testing.cases import read_cases  # noqa: PLC0415  imports Dagster

    cases = [case for file in case_files for case in read_cases(file)]
    slug, flows = flows_under_test(flow, more_files)
    handlers = handlers_of(modules).handlers
    outcomes = []
    for case in cases:
        outcome = _run(
            case, chosen(slug, case.flow, flows, flow), flows, handlers, only_mocks=only_mocks
        )
        outcomes.append(outcome)
        if not wants_json:
            _print(outcome, explain=explain)
    if wants_json:
        print_json([_document(outcome, explain=explain) for outcome in outcomes])
    else:
        _print_verdict(outcomes)
    if not all(outcome.is_good for outcome in outcomes):
        raise click.exceptions.Exit(1)


def _run(
    case: "Case",
    slug: str,
    flows: Sequence[Flow],
    handlers: Mapping[str, Handler],
    *,
    only_mocks: bool,
) -> CaseOutcome:
    from dagster_pgflow.testing import run_flow  # noqa: PLC0415  imports Dagster
    from dagster_pgflow.testing.cases import answers_of, mocks_of  # noqa: PLC0415
    from dagster_pgflow.testing.checking import (  # noqa: PLC0415
        discrepancies,
        refuse_unknown_places,
    )

    try:
        result = run_flow(
            slug,
            case.input if case.has_input else UNASKED,
            flows=flows,
            handlers=handlers,
            mock=mocks_of(case),
            only_mocks=only_mocks if case.only_mocks is None else case.only_mocks,
            answers=answers_of(case),
        )
        refuse_unknown_places(case, slug, flows)
    except PgflowError as error:
        return CaseOutcome(case.name, refusal=str(error))
    return CaseOutcome(case.name, discrepancies(case, result), result)


def _print(outcome: CaseOutcome, *, explain: bool) -> None:
    click.echo(f"{'ok   ' if outcome.is_good else 'FAIL '} {outcome.name}")
    lines = [] if outcome.refusal is None else outcome.refusal.splitlines()
    lines += [line for found in outcome.discrepancies for line in found.lines()]
    if explain and outcome.result is not None:
        lines += outcome.result.explain().splitlines()
    for line in lines:
        click.echo(f"{INDENT}{line}")


def _print_verdict(outcomes: Sequence[CaseOutcome]) -> None:
    bad = sum(not outcome.is_good for outcome in outcomes)
    as_expected = f"{counted(len(outcomes), 'case')}, all as expected."
    click.echo(f"{counted(len(outcomes), 'case')}, {bad} not as expected." if bad else as_expected)


def _document(outcome: CaseOutcome, *, explain: bool) -> dict[str, Any]:
    result = outcome.result
    document = {
        "name": outcome.name,
        "is_good": outcome.is_good,
        "refusal": outcome.refusal,
        "discrepancies": outcome.discrepancies,
        "status": result and result.status,
        "output": result and result.output,
        "route": result and [str(edge) for edge in result.route],
    }
    return {**document, "explanation": result and result.explain()} if explain else document
