"""`dagster-pgflow handlers`: what steps can name, with what each takes and returns."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import click
from pydantic import BaseModel

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import as_json, print_json
from dagster_pgflow.cli.handler_modules import handlers_of
from dagster_pgflow.model.answer_in_words import answer_in_words
from dagster_pgflow.model.described import described_schema
from dagster_pgflow.runtime.handlers import Handler, place_of


@dataclass(frozen=True)
class HandlerReport:
    """What is known of a handler.

    Attributes:
        name: What steps name.
        kind: Whether it is a handler of yours, or a node type that is built in.
        description: Its docstring.
        defined_in: The function.
        takes_context: Whether it takes the step context.
        input_schema: JSON Schema of its input, from the type hint.
        output_schema: JSON Schema of its output, from the type hint.
        params_schema: JSON Schema of its params, if it says what they are.
    """

    name: str
    kind: Literal["handler", "node type"]
    description: str
    defined_in: str
    takes_context: bool
    input_schema: Mapping[str, Any] | None
    output_schema: Mapping[str, Any] | None
    params_schema: Mapping[str, Any] | None


@command_with_examples(
    "handlers",
    "handlers",
    "handlers shop.handlers shop.payment",
    "handlers shop.handlers --json | jq '.[].name'",
)
@click.argument("modules", metavar="[MODULE]...", nargs=-1)
@as_json
def command(modules: Sequence[str], *, wants_json: bool) -> None:
    """List the handlers and node types that steps can name.

    MODULE is a module of your code location, as for `validate --handlers`. Handlers that installed
    packages bring, and the built-in node types, are listed in any case.
    """
    reports = [*_reports(modules)]
    if wants_json:
        print_json([asdict(one) for one in reports])
        return
    for report in reports:
        for line in _lines(report):
            click.echo(line)


def _reports(modules: Sequence[str]) -> Iterator[HandlerReport]:
    registry = handlers_of(modules)
    for name, handler in sorted(registry.handlers.items()):
        yield _report(name, handler, "handler")
    for name, handler in registry.node_types().items():
        if name not in registry.handlers:
            yield _report(name, handler, "node type")


def _report(name: str, handler: Handler, kind: Literal["handler", "node type"]) -> HandlerReport:
    return HandlerReport(
        name=name,
        kind=kind,
        description=inspect.getdoc(handler.function) or "",
        defined_in=place_of(handler),
        takes_context=handler.wants_context,
        input_schema=handler.input_schema,
        output_schema=handler.output_schema,
        params_schema=_params_schema(handler),
    )


def _params_schema(handler: Handler) -> Mapping[str, Any] | None:
    params = handler.params_type
    if isinstance(params, type) and issubclass(params, BaseModel):
        return described_schema(params)
    return None if handler.params_adapter is None else handler.params_adapter.json_schema()


def _lines(report: HandlerReport) -> Iterator[str]:
    """Yield a handler in lines that are short enough for a narrow terminal."""
    yield report.name
    first = report.description.partition("\n\n")[0]
    if first:
        yield f"  {' '.join(first.split())}"
    if report.kind == "handler":
        context = ", and the step context" if report.takes_context else ""
        yield f"  takes: {answer_in_words(report.input_schema)}{context}"
        yield f"  returns: {answer_in_words(report.output_schema)}"
    if report.params_schema is not None:
        yield f"  params: {answer_in_words(report.params_schema)}"
    yield f"  in: {report.defined_in}"
