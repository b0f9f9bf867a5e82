"""Manifests become flows: cells, edges and dispatches in EDN, YAML, JSON or Python objects.

All that is wrong is reported at once, with its place in the manifest and in its text.
"""

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

from dagster_pgflow.dsl.manifest.checking import each_problem, flow_problems
from dagster_pgflow.dsl.manifest.compile import flow_of_manifest
from dagster_pgflow.dsl.manifest.compile_names import slug_of_name
from dagster_pgflow.dsl.manifest.extending import without
from dagster_pgflow.dsl.manifest.forms import FormRefused, MapForm, form_of, name_of, shown
from dagster_pgflow.dsl.manifest.manifest import FAILURE, SUCCESS, Manifest
from dagster_pgflow.dsl.manifest.notes import Notes
from dagster_pgflow.dsl.manifest.reading import manifest_of
from dagster_pgflow.dsl.manifest.sources import Sources, forms_of_any_text, only_form
from dagster_pgflow.dsl.reading.unreadable import Unreadable
from dagster_pgflow.dsl.registering import registered_slugs
from dagster_pgflow.dsl.workflow.parts import TooManyProblems
from dagster_pgflow.errors import InvalidFlow, Problem, more_problems
from dagster_pgflow.json_values.limits import problem_of
from dagster_pgflow.model.flow import Flow

KIND: Final = "Manifest"
STAND_IN: Final = "manifest"
UNDECIDED: Final = "label-without-predicate"
"""What is wrong with a cell that leads on as one that runs a flow does, where there is none."""


@dataclass(frozen=True)
class WrittenManifest:
    """A manifest as it is written, before anybody knows which flows there are.

    Attributes:
        form: What is written.
        sources: Where the files are that it names.
        name: What it is called, if it does not say so.
    """

    form: MapForm
    sources: Sources
    name: str | None = None

    @property
    def id(self) -> str:
        """What it is called."""
        given = self.form.get("id")
        return (name_of(given) if given is not None else None) or self.name or STAND_IN

    @property
    def slug(self) -> str:
        """The slug of its flow."""
        return slug_of_name(self.id)

    def called(self, id: str) -> "WrittenManifest":
        """Return the same under another id, whatever it says."""
        return replace(self, form=without(self.form, "id"), name=id)

    def hangs_on_flows(self, flows: Collection[str]) -> bool:
        """Return whether it is sound only if some other flow is there.

        That is so where a cell leads on as one that runs a flow does, and nothing decides. With
        anything else wrong, it is not sound whatever there is.

        Args:
            flows: The slugs of the flows that are known.
        """
        notes = Notes()
        try:
            manifest = manifest_of(self.form, notes, flows=flows, sources=self.sources)
        except TooManyProblems:
            return False
        told = chain(each_problem(manifest, notes.gaps), flow_problems(manifest))
        if notes.problems.found or any(problem.code != UNDECIDED for problem in told):
            return False
        for name, labels in manifest.edges.items():
            cell = manifest.cells.get(name)
            asked = {dispatch.label for dispatch in manifest.dispatches.get(name, ())}
            undecided = {SUCCESS, FAILURE}.intersection(labels) - asked
            if cell is not None and cell.flow is None and undecided:
                return True
        return False

    def manifest(self, flows: Collection[str] = ()) -> Manifest:
        """Return the flat manifest.

        Args:
            flows: The slugs of the flows that its cells may run.

        Raises:
            InvalidFlow: With all that is wrong.
        """
        return self._sound(flows)[0]

    def flow(self, flows: Collection[str] = ()) -> Flow:
        """Return the flow that it describes.

        Args:
            flows: The slugs of the flows that its cells may run.

        Raises:
            InvalidFlow: With all that is wrong.
        """
        return self.read(flows)[0]

    def read(self, flows: Collection[str] = ()) -> tuple[Flow, tuple[Problem, ...]]:
        """Return the flow that it describes, and what somebody should look at.

        Args:
            flows: The slugs of the flows that its cells may run.

        Raises:
            InvalidFlow: With all that is wrong.
        """
        manifest, notes = self._sound(flows)
        try:
            return flow_of_manifest(manifest), tuple(notes.warnings)
        except InvalidFlow as invalid:
            placed = [notes.placed(problem) for problem in invalid.problems]
            raise InvalidFlow(self.id, placed, KIND) from None

    def _sound(self, flows: Collection[str]) -> tuple[Manifest, Notes]:
        notes = Notes()
        found = notes.problems.found
        try:
            manifest = manifest_of(
                self.form, notes, id=self.name or STAND_IN, flows=flows, sources=self.sources
            )
            for problem in chain(each_problem(manifest, notes.gaps), flow_problems(manifest)):
                notes.add(problem)
        except TooManyProblems:
            raise InvalidFlow(self.id, [*notes.in_order(), more_problems()], KIND) from None
        if found:
            raise InvalidFlow(self.id, notes.in_order(), KIND)
        return manifest, notes


def read_manifest(
    document: str | Mapping[str, Any],
    *,
    id: str | None = None,
    flows: Collection[str] = (),
    folder: str | Path | None = None,
    load: Callable[[str], object] | None = None,
) -> Flow:
    """Return the flow that a manifest describes.

    Args:
        document: EDN, YAML or JSON, or the object that it stands for: `cells`, `edges`,
            `dispatches`.
        id: What it is called, if it does not say so.
        flows: The slugs of the flows that its cells may run: those whose id reads like one.
        folder: Where the files are that it names in `extends` and `fragments`.
        load: Gives the text or the object of such a name, in place of a folder; it raises
            `LookupError` where there is none.

    Raises:
        InvalidFlow: With all that is wrong, each with its place in the manifest.

    Example:
        >>> flow = read_manifest("{:id :greet :cells {:start :shop/greet} :edges {:start :end}}")
        >>> flow.slug, [step.slug for step in flow.steps]
        ('greet', ['start'])
    """
    sources = Sources(None if folder is None else Path(folder), load)
    flow, told = written_manifest(document, sources, id).read(registered_slugs().union(flows))
    for warning in told:
        warnings.warn(str(warning), stacklevel=2)
    return flow


def written_manifest(
    document: str | Mapping[str, Any], sources: Sources, id: str | None = None
) -> WrittenManifest:
    """Return a manifest as it is written.

    Raises:
        InvalidFlow: It is no object, or no text that can be read.
    """
    try:
        form = _form(document)
    except Unreadable as reason:
        raise _refused(id, "unreadable-text", reason.place, str(reason)) from None
    except FormRefused as reason:
        raise _refused(id, reason.code, "$", str(reason)) from None
    if not isinstance(form, MapForm):
        message = f"A manifest is an object with cells and edges; got {shown(form)}."
        raise _refused(id, "not-an-object", "$", message)
    return WrittenManifest(form, sources, id)


def _form(document: Any) -> Any:
    if isinstance(document, str):
        return only_form(forms_of_any_text(document), "The text")
    beyond = problem_of(document)
    if beyond is not None:
        raise Unreadable("$", f"The manifest is refused: {beyond}.")
    return form_of(document)


def _refused(id: str | None, code: str, path: str, message: str) -> InvalidFlow:
    return InvalidFlow(id or "?", [Problem(code, path, message)], KIND)
