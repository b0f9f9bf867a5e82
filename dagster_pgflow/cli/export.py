"""`dagster-pgflow export`: a stored flow as a file that `load` takes back."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.completion import slug_argument
from dagster_pgflow.cli.console import aside
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.dsl.flow_text import TextFormat, document_text, flow_text
from dagster_pgflow.dsl.manifest.back import manifest_of_flow
from dagster_pgflow.dsl.manifest.back_document import document_of_manifest
from dagster_pgflow.dsl.manifest.edn_writing import edn_of_documents
from dagster_pgflow.dsl.workflow.writing import write_workflow
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import SubflowStep
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder

Language = TextFormat | Literal["edn"]
FORMATS: dict[str, Language] = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".edn": "edn",
}
"""By the ending of a file's name."""


def _loadable(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in FORMATS:
        raise click.BadParameter(
            f"{path} must end in one of: {', '.join(FORMATS)}; `load` recognises files by it."
        )
    return path


@command_with_examples(
    "export",
    "export order > order.yaml",
    "export order -o order.json",
    "export order --version 3",
    "export order --with-subflows -o order.yaml",
    "export order --workflow -o order.json",
    "export order --manifest -o order.edn",
)
@slug_argument("slug")
@click.option(
    "--format",
    "text_format",
    type=click.Choice([*get_args(TextFormat), "edn"]),
    help="The format of the file, if its name does not say it; EDN is for manifests.",
)
@click.option("--version", type=click.IntRange(1), help="A version, instead of the newest one.")
@click.option("--with-subflows", is_flag=True, help="Write the flows that it contains, too.")
@click.option("--workflow", is_flag=True, help="Write a workflow document: nodes and edges.")
@click.option("--manifest", is_flag=True, help="Write a manifest: cells and edges.")
@click.option(
    "--output",
    "-o",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_loadable,
    help="Write to a file, not to standard output.",
)
def command(
    slug: str,
    text_format: Language | None,
    version: int | None,
    file: Path | None,
    *,
    with_subflows: bool,
    workflow: bool,
    manifest: bool,
) -> None:
    """Write a stored flow as a file that `load` takes back.

    Nothing is lost: loading the file into the same database changes nothing. With --workflow or
    --manifest, a flow that uses more than such a document can express is refused.
    """
    if version is not None and with_subflows:
        raise click.UsageError("A version belongs to one flow; leave out --with-subflows.")
    if workflow and with_subflows:
        raise click.UsageError("Workflow documents have no subflows; leave out --with-subflows.")
    if workflow and manifest:
        raise click.UsageError("A file is one or the other; leave out --workflow or --manifest.")
    language = text_format or FORMATS[file.suffix.lower() if file else ".yaml"]
    if language == "edn" and not manifest:
        raise click.UsageError("EDN is what manifests are written in; add --manifest.")
    with opened_store() as database:
        flows = _tree(database, slug) if with_subflows else [_flow(database, slug, version)]
    if language == "edn":
        text = edn_of_documents(_manifests(flows))
    elif manifest:
        text = document_text(_manifests(flows), language)
    elif workflow:
        text = document_text([write_workflow(flow) for flow in flows], language)
    else:
        text = flow_text(flows, language)
    if file is None:
        click.echo(text, nl=False)
        return
    _write(file, text)
    aside(f"Wrote {', '.join(flow.slug for flow in flows)} to {file}.")


def _manifests(flows: Sequence[Flow]) -> list[dict[str, Any]]:
    return [document_of_manifest(manifest_of_flow(flow)) for flow in flows]


def _flow(database: Database, slug: str, version: int | None) -> Flow:
    return FlowBuilder(database).get_flow(slug, version)


def _tree(database: Database, slug: str) -> list[Flow]:
    catalog = Catalog(database)
    flows = [pinned.flow for pinned in catalog.tree(slug, catalog.watermark()).values()]
    _refuse_gaps(flows)
    return flows


def _refuse_gaps(flows: Sequence[Flow]) -> None:
    """Refuse to write a file that `load` would refuse."""
    there = {flow.slug for flow in flows}
    missing = [
        f'"{step.flow}" (step "{step.slug}" of flow "{flow.slug}")'
        for flow in flows
        for step in flow.steps
        if isinstance(step, SubflowStep) and step.flow not in there
    ]
    if missing:
        raise ConfigurationError(
            f"A flow that is contained is not stored: there is no flow {', '.join(missing)}; load"
            " it first, or export without --with-subflows."
        )


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}.") from error
