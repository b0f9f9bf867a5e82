"""What a run of a manifest comes to: the rules once more, without flows, steps or Dagster.

One data map goes from cell to cell. The interpreter walks, notes where it was and with which data,
and knows nothing of how any of it is compiled.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from dagster_pgflow.dsl.manifest.manifest import (
    DEFAULT,
    ENTRY,
    UNLABELLED,
    Manifest,
    Transforms,
)
from tests.manifests_reference.cycles import Cycles, cycles_of

Data = dict[str, Any]
Work = Callable[[Any, Mapping[str, Any]], Any]
Status = Literal["completed", "failed"]

WORD = re.compile(r"boom\d+")
"""What a handler that fails says, and every message about its failure."""

UNKNOWN = "?"
"""The message of a failure whose words the rules do not say."""


class Boom(Exception):
    """Raised by a handler that fails; its text is a word that no message changes."""


class TooLate(Exception):
    """Raised by a handler whose time is over."""


@dataclass(frozen=True)
class Surroundings:
    """What a manifest names and does not hold.

    Attributes:
        handlers: By name: what a cell, a hook or a merge does with data and params.
        flows: The manifests that cells run, by their slugs.
        predicates: What each predicate says of a data map.
    """

    handlers: Mapping[str, Work]
    flows: Mapping[str, Manifest]
    predicates: Mapping[str, Callable[[Data], bool]]


@dataclass(frozen=True)
class Visit:
    """One time that a cell is run.

    Attributes:
        cell: Its name; behind that of the cell that runs its manifest, `payment/charge`.
        received: The data map that it was given.
        handed: What of it reached its handler, behind all that lies before.
    """

    cell: str
    received: Data
    handed: Data


@dataclass
class Outcome:
    """What became of a run.

    Attributes:
        status: Whether it completed.
        output: The data map at its end; that of the last cell where it failed.
        route: The cells in the order in which they ran; members of a join in theirs.
        outputs: What cells left behind, in the order in which they ended; not of those that failed.
        reason: Why it failed.
    """

    status: Status = "completed"
    output: Data = field(default_factory=dict)
    route: list[Visit] = field(default_factory=list)
    outputs: list[tuple[str, Data]] = field(default_factory=list)
    reason: str = ""

    @property
    def word(self) -> str:
        """The word of the handler that failed it, if one did."""
        found = WORD.search(self.reason)
        return found[0] if found else UNKNOWN


@dataclass(frozen=True)
class _Left:
    """How a cell or join was left.

    Attributes:
        data: The data map behind it.
        label: The edge to take, whatever predicates say.
        target: Where to go, whatever edges say.
        failed: Why the run fails here.
    """

    data: Data
    label: str | None = None
    target: str | None = None
    failed: str | None = None


def interpreted(manifest: Manifest, data: Data, around: Surroundings, path: str = "") -> Outcome:
    """Return what a run of a manifest with this input comes to.

    Args:
        manifest: A sound manifest, flat.
        data: The input.
        around: What it names.
        path: What goes before the names of its cells.
    """
    return _Walk(manifest, around, path).from_entry(dict(data))


class _Walk:
    def __init__(self, manifest: Manifest, around: Surroundings, path: str) -> None:
        self._manifest = manifest
        self._around = around
        self._path = path
        self._cycles: Cycles = cycles_of(manifest)
        self._passes: dict[str, int] = {}
        self._outcome = Outcome()

    def from_entry(self, data: Data) -> Outcome:
        at, cause = ENTRY, ""
        self._passes = dict.fromkeys(self._cycles.headed_by(ENTRY), 1)
        while at not in ("end", "error"):
            left = self._join(at, data) if at in self._manifest.joins else self._cell(at, data)
            data = left.data
            if left.failed is not None:
                return self._ended("failed", data, left.failed)
            target = self._way_on(at, left)
            if target is None:
                return self._ended("failed", data, f"no way on behind {at}")
            header = self._goes_round(at, target)
            if header is not None:
                return self._ended("failed", data, f"too many passes of {header}")
            cause = f"{at} leads to error"
            at = target
        return self._ended("completed" if at == "end" else "failed", data, cause)

    def _ended(self, status: Status, data: Data, reason: str) -> Outcome:
        self._outcome.status, self._outcome.output = status, data
        self._outcome.reason = reason if status == "failed" else ""
        return self._outcome

    def _way_on(self, at: str, left: _Left) -> str | None:
        """Return where the run goes on; nothing where no edge can be taken."""
        edges = self._manifest.edges.get(at, {})
        if left.target is not None:
            return left.target
        if left.label is not None and left.label in edges:
            return edges[left.label]
        if UNLABELLED in edges:
            return edges[UNLABELLED]
        for dispatch in self._manifest.dispatches.get(at, ()):
            if dispatch.label in edges and self._holds(dispatch.predicate, left.data):
                return edges[dispatch.label]
        return edges.get(DEFAULT)

    def _holds(self, predicate: str, data: Data) -> bool:
        return predicate == "true" or self._around.predicates[predicate](data)

    def _goes_round(self, at: str, target: str) -> str | None:
        """Count the passes of loops; return the one that would be passed once too often."""
        if self._cycles.is_closed_by(at, target):
            self._passes[target] += 1
            too_many = self._passes[target] > self._most_passes(target)
            return target if too_many else None
        for header in self._cycles.headed_by(target):
            self._passes[header] = 1
        return None

    def _most_passes(self, header: str) -> int:
        closing = self._cycles.closing(header)
        said = [most for edge, most in self._manifest.max_passes_of.items() if edge in closing]
        return min(said, default=self._manifest.max_passes)

    # One cell.

    def _cell(self, name: str, received: Data) -> _Left:
        visited = f"{self._path}{name}"
        if self._manifest.cells[name].flow is not None:
            return self._subworkflow(name, received)
        try:
            data = self._done(name, received, keeps=self._manifest.propagate_keys)
        except TooLate:
            if name in self._manifest.timeouts:
                return _Left({**received, "timeout": True}, label="timeout")
            return self._failed(name, received, UNKNOWN)
        except Boom as boom:
            return self._failed(name, received, str(boom))
        self._outcome.outputs.append((visited, data))
        return _Left(data)

    def _done(self, name: str, received: Data, *, keeps: bool) -> Data:
        """Return what is behind the handler of a cell and all that lies around it.

        Raises:
            Boom: It failed.
            TooLate: It took too long.
        """
        before, after = self._hooks(name)
        data: Any = dict(received)
        for hook in before:
            data = self._around.handlers[hook](data, {})
        self._outcome.route.append(Visit(f"{self._path}{name}", dict(received), dict(data)))
        cell = self._manifest.cells[name]
        given = self._around.handlers[cell.id](data, cell.params)
        if not isinstance(given, dict):
            raise Boom(UNKNOWN)
        data = {**data, **given} if keeps else given
        for hook in after:
            data = self._around.handlers[hook](data, {})
        return dict(data)

    def _hooks(self, name: str) -> tuple[list[str], list[str]]:
        """Return what data passes before and behind a handler: interceptors outside, own inside."""
        manifest = self._manifest
        around = [one for one in manifest.interceptors if self._reaches(one.scope, name)]
        own = manifest.transforms.get(name, Transforms())
        before = [one.pre for one in around if one.pre] + ([own.input.fn] if own.input else [])
        after = [own.output.fn] if own.output else []
        return before, after + [one.post for one in reversed(around) if one.post]

    def _reaches(self, scope: Any, name: str) -> bool:
        if scope.cells is not None:
            return name in scope.cells
        return scope.id_match is None or fnmatchcase(self._manifest.cells[name].id, scope.id_match)

    def _failed(self, name: str, received: Data, message: str) -> _Left:
        error = {"cell": name, "message": message}
        for group in self._manifest.error_groups.values():
            if name in group.cells:
                return _Left({**received, "error": error}, target=group.on_error)
        return _Left({**received, "error": error}, failed=f"{name}: {message}")

    def _subworkflow(self, name: str, received: Data) -> _Left:
        slug = self._manifest.cells[name].flow
        assert slug is not None
        before, after = self._hooks(name)
        data: Any = dict(received)
        for hook in before:
            data = self._around.handlers[hook](data, {})
        child = interpreted(self._around.flows[slug], data, self._around, f"{self._path}{name}/")
        self._outcome.route += child.route
        self._outcome.outputs += child.outputs
        if child.status == "failed":
            if "failure" not in self._manifest.edges.get(name, {}):
                return self._failed(name, received, child.word)
            error = {"cell": name, "message": child.word}
            return _Left({**received, "error": error}, label="failure")
        data = {**data, **child.output} if self._manifest.propagate_keys else child.output
        for hook in after:
            data = self._around.handlers[hook](data, {})
        return _Left(data, label="success")

    # Cells on one snapshot.

    def _join(self, name: str, snapshot: Data) -> _Left:
        join = self._manifest.joins[name]
        results: dict[str, Data] = {}
        errors: list[dict[str, str]] = []
        for cell in join.cells:
            try:
                results[cell] = self._done(cell, snapshot, keeps=False)
            except Boom as boom:
                errors.append({"cell": cell, "message": str(boom)})
            except TooLate:
                errors.append({"cell": cell, "message": UNKNOWN})
        if errors:
            data = {**snapshot, "join-error": errors}
            if "failure" in self._manifest.edges.get(name, {}):
                return _Left(data, label="failure")
            return _Left(data, failed=f"{name}: {errors}")
        merged = self._merged(join.merge, results)
        # Its members alone return something; what they all received lives on in any case.
        return _Left({**snapshot, **merged}, label="done")

    def _merged(self, merge: str | None, results: Mapping[str, Data]) -> Data:
        if merge is not None:
            merged: Data = self._around.handlers[merge](results, {})
            return merged
        return {key: value for result in results.values() for key, value in result.items()}
