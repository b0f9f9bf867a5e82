"""Flow files: JSON, YAML and Python files become flows; all that is wrong is found at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_pgflow.dsl.plain_text import read_json, read_yaml
from dagster_pgflow.dsl.python_file import flows_of_python_file
from dagster_pgflow.dsl.unreadable import Unreadable
from dagster_pgflow.dsl.workflow_json import is_workflow, read_workflow
from dagster_pgflow.errors import ConfigurationError, InvalidFlow, Problem
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
        text = read_text(path)
        if suffix == ".py":
            return FlowFile(path, flows_of_python_file(path))
        documents = [read_json(text)] if suffix == ".json" else read_yaml(text)
    except Unreadable as reason:
        return _unreadable(path, reason)
    return _flows_in(path, documents, name=path.stem)


def read_flow_text(text: str, name: str) -> FlowFile:
    """Read the flows of a text that may be JSON or YAML.

    Args:
        text: What a JSON or YAML file would hold.
        name: How to call it.
    """
    path = Path(name)
    try:
        return _flows_in(path, _documents(text))
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


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        ConfigurationError: It cannot be opened.
        Unreadable: It is no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("$", f"The file is no UTF-8 text (byte {error.start}).") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error


def _flows_in(path: Path, documents: list[Any], name: str | None = None) -> FlowFile:
    flows: list[Flow] = []
    problems: list[Problem] = []
    entries = list(_entries(documents))
    for place, entry in entries:
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
