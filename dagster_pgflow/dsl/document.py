"""Flow files: JSON, YAML, EDN and Python files become flows; all that is wrong is found at once."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias, get_args

from dagster_pgflow.dsl.manifest.edn_text import read_edn
from dagster_pgflow.dsl.manifest.forms import Form, FormRefused, MapForm, VectorForm, json_of
from dagster_pgflow.dsl.manifest.placed import placed_forms
from dagster_pgflow.dsl.manifest.reading import is_manifest
from dagster_pgflow.dsl.manifest.sources import Sources, looks_like_edn
from dagster_pgflow.dsl.manifest_text import WrittenManifest
from dagster_pgflow.dsl.python_file import flows_of_python_file
from dagster_pgflow.dsl.reading.files import text_of_file, text_of_standard_input
from dagster_pgflow.dsl.reading.json_text import read_json
from dagster_pgflow.dsl.reading.unreadable import Unreadable
from dagster_pgflow.dsl.reading.yaml_text import read_yaml
from dagster_pgflow.dsl.workflow_json import is_workflow, read_workflow
from dagster_pgflow.errors import (
    MOST_PROBLEMS,
    ConfigurationError,
    InvalidFlow,
    Problem,
    more_problems,
)
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.salvage import flow_of_document

SUFFIXES = (".json", ".yaml", ".yml", ".edn", ".py")

_FORMS: Final = get_args(Form)

Entry: TypeAlias = tuple[str, Flow | WrittenManifest]
"""What one document says, and its place in its file."""


@dataclass(frozen=True)
class FlowFile:
    """What one file holds.

    Attributes:
        path: The file.
        flows: The flows that could be read; they may have problems of their own.
        problems: What could not be read, and where.
        warnings: What its manifests say that somebody should look at.
    """

    path: Path
    flows: tuple[Flow, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class WrittenFile:
    """What one file says, before it is known which flows its manifests may name.

    Attributes:
        path: The file.
        entries: Flows and manifests, each with its place.
        problems: What could not be read, and where.
    """

    path: Path
    entries: tuple[Entry, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def slugs(self) -> frozenset[str]:
        """The slugs of its flows, and of those that its manifests become."""
        return frozenset(entry.slug for _, entry in self.entries)

    @property
    def manifests(self) -> tuple[WrittenManifest, ...]:
        """Its manifests."""
        return tuple(entry for _, entry in self.entries if isinstance(entry, WrittenManifest))

    def read(self, flows: Collection[str] = ()) -> FlowFile:
        """Return what it holds.

        Args:
            flows: The slugs of other flows that cells of its manifests may run.
        """
        known = self.slugs.union(flows)
        found: list[Flow] = []
        warnings: list[Problem] = []
        problems = [*self.problems]
        for place, entry in self.entries:
            try:
                flow, told = (
                    entry.read(known) if isinstance(entry, WrittenManifest) else (entry, ())
                )
                found.append(flow)
                warnings += [_placed(warning, place) for warning in told]
            except InvalidFlow as invalid:
                problems += [_placed(problem, place) for problem in invalid.problems]
        if len(problems) > MOST_PROBLEMS:
            problems = [*problems[:MOST_PROBLEMS], more_problems()]
        return FlowFile(self.path, tuple(found), tuple(problems), tuple(warnings))


def read_flow_file(path: Path, flows: Collection[str] = ()) -> FlowFile:
    """Read the flows of a file.

    Args:
        path: A file whose name ends in one of `SUFFIXES`.
        flows: The slugs of flows elsewhere that cells of manifests may run.

    Raises:
        ConfigurationError: The file cannot be opened, or is of another kind.
    """
    return written_file(path).read(flows)


def written_file(path: Path) -> WrittenFile:
    """Read what a file says.

    A JSON, YAML or EDN file holds one flow, a list of flows, or (YAML, EDN) several documents. What
    has nodes and edges in place of steps is a workflow document, what has cells is a manifest;
    without a name they are called as the file. A Python file is run, as `python <file>` would, and
    gives every `Flow` that has a name at its top.

    Args:
        path: A file whose name ends in one of `SUFFIXES`.

    Raises:
        ConfigurationError: The file cannot be opened, or is of another kind.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigurationError(
            f"{path} is not a flow file; its name must end in one of: {', '.join(SUFFIXES)}."
        )
    try:
        text = text_of_file(path)
        if suffix == ".py":
            return WrittenFile(path, tuple(("", flow) for flow in flows_of_python_file(path)))
        documents = _documents_of(text, suffix)
    except Unreadable as reason:
        return _unreadable(path, reason)
    return _entries_in(path, documents, path.parent, name=path.stem)


def written_standard_input(name: str) -> WrittenFile:
    """Read what comes from standard input, as JSON, YAML or EDN.

    Args:
        name: How to call it.

    Raises:
        ConfigurationError: It is closed.
    """
    path = Path(name)
    try:
        return _entries_in(path, _documents(text_of_standard_input()), None)
    except Unreadable as reason:
        return _unreadable(path, reason)


def read_standard_input(name: str, flows: Collection[str] = ()) -> FlowFile:
    """Read the flows that come from standard input, as JSON, YAML or EDN.

    Args:
        name: How to call it.
        flows: The slugs of flows elsewhere that cells of manifests may run.

    Raises:
        ConfigurationError: It is closed.
    """
    return written_standard_input(name).read(flows)


def _documents_of(text: str, suffix: str) -> list[Any]:
    match suffix:
        case ".edn":
            return [*read_edn(text)]
        case ".json":
            return _with_places(text, [read_json(text)])
        case _:
            return _with_places(text, read_yaml(text))


def _documents(text: str) -> list[Any]:
    if looks_like_edn(text):
        return [*read_edn(text)]
    try:
        return _documents_of(text, ".json")
    except Unreadable as no_json:
        try:
            return _documents_of(text, ".yaml")
        except Unreadable as no_yaml:
            # YAML may begin so too, but somebody who begins so means JSON.
            raise (no_json if text.lstrip()[:1] in ("{", "[") else no_yaml) from None


def _with_places(text: str, documents: list[Any]) -> list[Any]:
    """Return documents as forms, where a manifest is among them."""
    entries = (entry for _, entry in _entries(documents))
    return [*placed_forms(text, documents)] if any(map(is_manifest, entries)) else documents


def _unreadable(path: Path, reason: Unreadable) -> WrittenFile:
    return WrittenFile(path, problems=(Problem("unreadable-file", reason.place, str(reason)),))


def _entries_in(
    path: Path, documents: list[Any], folder: Path | None, name: str | None = None
) -> WrittenFile:
    read: list[Entry] = []
    problems: list[Problem] = []
    sources = Sources(folder)
    entries = list(_entries(documents))
    for place, entry in entries:
        if len(problems) >= MOST_PROBLEMS:
            problems = [*problems[:MOST_PROBLEMS], more_problems()]
            break
        try:
            read.append((place, _entry(entry, sources, name if len(entries) == 1 else None)))
        except InvalidFlow as invalid:
            problems += [_placed(problem, place) for problem in invalid.problems]
    if not entries:
        message = "The file holds no flow; write an object with at least a slug."
        problems.append(Problem("no-flows", "$", message))
    return WrittenFile(path, tuple(read), tuple(problems))


def _entry(entry: Any, sources: Sources, name: str | None) -> Flow | WrittenManifest:
    if isinstance(entry, MapForm) and is_manifest(entry):
        return WrittenManifest(entry, sources, name)
    value = _value(entry) if isinstance(entry, _FORMS) else entry
    return read_workflow(value, slug=name) if is_workflow(value) else flow_of_document(value)


def _value(form: Form) -> Any:
    """Return the JSON that a form stands for, which is no manifest."""
    try:
        return json_of(form)
    except FormRefused as reason:
        problem = Problem(reason.code, str(reason.at), str(reason))
        raise InvalidFlow("?", [problem]) from None


def _entries(documents: list[Any]) -> Iterator[tuple[str, Any]]:
    """Yield each flow of the documents and its place; a lone one has none."""
    for number, document in enumerate(documents, 1):
        place = f"document {number}" if len(documents) > 1 else ""
        listed = document.items if isinstance(document, VectorForm) else document
        if isinstance(listed, list | tuple):
            yield from ((f"{place}[{index}]", entry) for index, entry in enumerate(listed))
        else:
            yield place, document


def _placed(problem: Problem, place: str) -> Problem:
    if not place:
        return problem
    path = place if problem.path == "$" else f"{place}.{problem.path}"
    return Problem(problem.code, path, problem.message)
