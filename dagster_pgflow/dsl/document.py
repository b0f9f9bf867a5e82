"""Flow files: JSON, YAML and Python files become flows; all that is wrong is found at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_pgflow.dsl.python_file import flows_of_python_file
from dagster_pgflow.dsl.reading.files import text_of_file, text_of_standard_input
from dagster_pgflow.dsl.reading.json_text import read_json
from dagster_pgflow.dsl.reading.unreadable import Unreadable
from dagster_pgflow.dsl.reading.yaml_text import read_yaml
from dagster_pgflow.dsl.workflow_json import is_workflow, read_workflow
from dagster_pgflow.errors import MOST_TOLD, ConfigurationError, InvalidFlow, Problem, more_problems
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.salvage import flow_of_document

SUFFIXES = (".json", ".yaml", ".yml", ".py")


@dataclass(frozen=True)
class FlowFile:
    """What one file holds.

    Attributes:
        path: The file.
        flows: The flows that could be read; they may have problems of their own.
        problems: What could not be read, and where.
    """

    path: Path
    flows: tuple[Flow, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_flow_file(path: Path) -> FlowFile:
    """Read the flows of a file.

    A JSON or YAML file holds one flow, a list of flows, or (YAML) several documents. What has nodes
    and edges in place of steps is a workflow document; without a name it is called as the file. A
    Python file is run, as `python <file>` would, and gives every `Flow` that has a name at its top.

    Args:
        path: A file whose name ends in one of `SUFFIXES`.

    Raises:
        ConfigurationError: The file cannot be opened, or is of another kind.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigurationError(
            f"{path} is no flow file; its name must end in one of: {', '.join(SUFFIXES)}."
        )
    try:
        text = text_of_file(path)
        if suffix == ".py":
            return FlowFile(path, flows_of_python_file(path))
        documents = [read_json(text)] if suffix == ".json" else read_yaml(text)
    except Unreadable as reason:
        return _unreadable(path, reason)
    return _flows_in(path, documents, name=path.stem)


def read_standard_input(name: str) -> FlowFile:
    """Read the flows that come from standard input, as JSON or as YAML.

    Args:
        name: How to call it.

    Raises:
        ConfigurationError: It is closed.
    """
    path = Path(name)
    try:
        return _flows_in(path, _documents(text_of_standard_input()))
    except Unreadable as reason:
        return _unreadable(path, reason)


def _documents(text: str) -> list[Any]:
    try:
        return [read_json(text)]
    except Unreadable as no_json:
        try:
            return read_yaml(text)
        except Unreadable as no_yaml:
            # YAML may begin so too, but somebody who begins so means JSON.
            raise (no_json if text.lstrip()[:1] in ("{", "[") else no_yaml) from None


def _unreadable(path: Path, reason: Unreadable) -> FlowFile:
    return FlowFile(path, problems=(Problem("unreadable-file", reason.place, str(reason)),))


def _flows_in(path: Path, documents: list[Any], name: str | None = None) -> FlowFile:
    flows: list[Flow] = []
    problems: list[Problem] = []
    entries = list(_entries(documents))
    for place, entry in entries:
        if len(problems) >= MOST_TOLD:
            problems = [*problems[:MOST_TOLD], more_problems()]
            break
        try:
            flows.append(_flow_in(entry, name if len(entries) == 1 else None))
        except InvalidFlow as invalid:
            problems += [_placed(problem, place) for problem in invalid.problems]
    if not entries:
        message = "The file holds no flow; write an object with at least a slug."
        problems.append(Problem("no-flows", "$", message))
    return FlowFile(path, tuple(flows), tuple(problems))


def _flow_in(entry: Any, name: str | None) -> Flow:
    return read_workflow(entry, slug=name) if is_workflow(entry) else flow_of_document(entry)


def _entries(documents: list[Any]) -> Iterator[tuple[str, Any]]:
    """Yield each flow of the documents and its place; a lone one has none."""
    for number, document in enumerate(documents, 1):
        place = f"document {number}" if len(documents) > 1 else ""
        if isinstance(document, list):
            yield from ((f"{place}[{index}]", entry) for index, entry in enumerate(document))
        else:
            yield place, document


def _placed(problem: Problem, place: str) -> Problem:
    if not place:
        return problem
    path = place if problem.path == "$" else f"{place}.{problem.path}"
    return Problem(problem.code, path, problem.message)
