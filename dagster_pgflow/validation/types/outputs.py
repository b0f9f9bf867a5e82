"""What steps return, and what a mapping makes of it, as far as schemas tell."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from dagster_pgflow.errors import InvalidReference
from dagster_pgflow.expressions.references import (
    Reference,
    filled,
    reference,
    references_in,
    texts_in,
)
from dagster_pgflow.model.failures import waits_for_failure
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import leaves
from dagster_pgflow.model.steps import (
    BranchStep,
    HookedStep,
    JoinStep,
    LoopStep,
    MapStep,
    SingleStep,
    SleepStep,
    Step,
    SubflowStep,
    WaitingStep,
)
from dagster_pgflow.model.steps.data_map import KeepingStep
from dagster_pgflow.validation.types.json_type import ANYTHING, FieldProblem, JsonType
from dagster_pgflow.validation.types.merged import OBJECT, laid_over, over_anything

MOST_LEVELS = 50

Types = Mapping[str, JsonType]
"""What the steps that references may name return, by slug."""

FAILURE_OF_SUBFLOW = JsonType(
    {
        "type": "object",
        "properties": {
            "error": {"type": "string"},
            "child_trace": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "step": {"type": "string"},
                        "status": {"type": "string"},
                        "duration_ms": {"type": "integer"},
                        "output": {},
                        "error": {"type": "string"},
                    },
                    "required": ["step", "status", "duration_ms"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["error", "child_trace"],
        "additionalProperties": False,
    }
)
"""What a failure step gets from a subflow that failed."""

FAILURE = JsonType(
    {
        "type": "object",
        "properties": {
            "error": {"type": "string"},
            "step": {"type": "string"},
            "timeout": {"const": True},
            "join-error": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"cell": {"type": "string"}, "message": {"type": "string"}},
                    "required": ["cell", "message"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["error", "step"],
        "additionalProperties": False,
    }
)
"""What it gets from any other step."""

TEXT = JsonType({"type": "string"})

COLLECTED_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"message": {"type": "string"}, "attempts": {"type": "integer"}},
            "required": ["message", "attempts"],
        }
    },
    "required": ["error"],
}


class Outputs:
    """Knows what the steps of flows return.

    Args:
        known: The flows that others contain, by slug.
    """

    def __init__(self, known: Mapping[str, Flow]) -> None:
        self._known = known
        self._finals: dict[str, dict[str, JsonType]] = {}
        self._depth = 0

    def received_by(self, step: Step, steps: Mapping[str, Step]) -> dict[str, JsonType]:
        """Return what arrives at a step from each of its dependencies.

        Args:
            step: The step.
            steps: The steps of its flow by slug.
        """
        return {dep: self._handed_on(steps[dep], step) for dep in step.depends_on if dep in steps}

    def final_steps(self, flow_slug: str) -> dict[str, JsonType]:
        """Return what the final steps of a flow return, by slug."""
        if flow_slug not in self._finals:
            # Other rules tell of flows that contain themselves, or lie too deep.
            self._finals[flow_slug] = {}
            flow = self._known.get(flow_slug) if self._depth < MOST_LEVELS else None
            self._depth += 1
            final = leaves(flow) if flow is not None else ()
            self._finals[flow_slug] = {step.slug: self.of_step(step) for step in final}
            self._depth -= 1
        return self._finals[flow_slug]

    def of_step(self, step: Step) -> JsonType:
        """Return what a step returns when it completes."""
        if isinstance(step, HookedStep) and step.after:
            # What its handler returns goes through others, which may return anything.
            step = step.model_copy(update={"output_schema": None})
        match step:
            case SingleStep() | WaitingStep() | SleepStep():
                return _kept(step, _own(step))
            case MapStep():
                one = _of_schema(step.output_schema)
                items = JsonType({"anyOf": [one, COLLECTED_ERROR]}) if step.collects else one
                return JsonType({"type": "array", "items": items})
            case SubflowStep() if step.over is not None:
                return JsonType({"type": "array", "items": self._of_subflow(step)})
            case SubflowStep():
                return _kept(step, self._of_subflow(step))
            case BranchStep() | LoopStep():
                # What they hand on themselves depends on the routes that the run has taken.
                return _kept(step, _of_schema(step.output_schema if step.needs_handler else None))
            case JoinStep():
                return _of_join(step)
            case _:
                assert_never(step)

    def _handed_on(self, dep: Step, step: Step) -> JsonType:
        if waits_for_failure(step, dep):
            return FAILURE_OF_SUBFLOW if isinstance(dep, SubflowStep) else FAILURE
        return self.of_step(dep)

    def _of_subflow(self, step: SubflowStep) -> JsonType:
        flow = self._known.get(step.flow)
        if flow is None:
            return ANYTHING
        final = self.final_steps(step.flow)
        if step.output is not None:
            return type_of(step.output, ReferableTypes(final))
        # Any of them may be skipped, and all of them: then the flow returns null.
        fields = {"type": "object", "properties": dict(final), "additionalProperties": False}
        returned = laid_over(final.values()) if flow.merge_output else JsonType(fields)
        if flow.output_schema is not None:
            schema = JsonType(flow.output_schema, flow.output_schema, is_open=True)
            return JsonType({"allOf": [returned, schema]})
        return JsonType({"anyOf": [returned, {"type": "null"}]}) if final else ANYTHING


@dataclass(frozen=True)
class ReferableTypes:
    """What references may lead to.

    Attributes:
        nodes: What the steps return that they may name.
        flow_input: The input of the flow around.
        item: The item at hand.
    """

    nodes: Types
    flow_input: JsonType = ANYTHING
    item: JsonType = ANYTHING


def type_of(template: Any, sources: ReferableTypes) -> JsonType:
    """Return what a template becomes; references that lead nowhere may be anything."""
    match template:
        case Mapping():
            return _written({name: type_of(part, sources) for name, part in template.items()})
        case list() | tuple():
            parts = [type_of(part, sources) for part in template]
            return JsonType({"type": "array", "prefixItems": parts, "items": False})
        case str() if (found := _whole_reference(template)) is not None:
            reached = followed(found, sources)
            return reached if isinstance(reached, JsonType) else ANYTHING
        case str() if _mentions(template):
            return JsonType({"type": "string"})
        case _:
            return JsonType({"const": filled(template, {})})


def followed(wanted: Reference, sources: ReferableTypes) -> JsonType | FieldProblem:
    """Return the type of what a reference leads to, or why it leads nowhere."""
    path = wanted.path
    match wanted.root:
        case "input":
            here = sources.flow_input
        case "item":
            here = sources.item
        case "nodes":
            # That there is such a step, another rule checks.
            here, path = sources.nodes.get(path[0], ANYTHING), path[1:]
    passed: list[str] = list(wanted.path[: len(wanted.path) - len(path)])
    for name in path:
        found = here.field(name)
        if isinstance(found, FieldProblem):
            reached = Reference(wanted.root, tuple(passed))
            advice = f'; "{found.meant}" may be meant' if found.meant else ""
            told = found.reason.replace("it is", "is").replace("its fields are", "has the fields")
            return FieldProblem(f"{reached} {told}{advice}", found.meant, found.is_certain)
        here = found
        passed.append(name)
    return here


def lost_references(template: Any, sources: ReferableTypes, path: str) -> Iterator[tuple[str, str]]:
    """Yield the place and the sentence of each reference that cannot lead to a value.

    Args:
        template: JSON with references.
        sources: What they may lead to.
        path: Where the template stands.
    """
    for place, text in texts_in(template, path):
        for found in references_of(text):
            reached = followed(found, sources)
            if isinstance(reached, FieldProblem):
                yield place, f"{found} leads nowhere: {reached.reason}."


def references_of(text: str) -> list[Reference]:
    """Return the references of a text; none of one that is not well formed."""
    try:
        return [found for _, found in references_in(text)]
    except InvalidReference:
        return []


def _whole_reference(text: str) -> Reference | None:
    try:
        return reference(text)
    except InvalidReference:
        return None


def _mentions(text: str) -> bool:
    try:
        return any(True for _ in references_in(text))
    except InvalidReference:
        return True


def _of_join(step: JoinStep) -> JsonType:
    if step.merge_input:
        return OBJECT
    fields = dict.fromkeys(step.depends_on, ANYTHING)
    return JsonType({"type": "object", "properties": fields, "additionalProperties": False})


def _own(step: SingleStep | WaitingStep | SleepStep) -> JsonType:
    """Return what the work of a step comes to."""
    match step:
        case SingleStep():
            return _of_schema(step.output_schema)
        case WaitingStep():
            return _of_waiting(step)
        case SleepStep():
            return _written({"slept_until": TEXT})
        case _:
            assert_never(step)


def _of_waiting(step: WaitingStep) -> JsonType:
    """Return what a step returns that got an answer, or goes on without one."""
    own = _of_schema(step.answer_schema)
    somebody = JsonType({"type": ["string", "null"]})
    answered = _written({"answer": own, "answered_by": somebody, "answered_at": TEXT})
    if step.deadline is None or step.on_deadline != "continue":
        return answered
    late = {"timed_out": JsonType({"const": True})}
    if step.default_answer is not None:
        late["answer"] = JsonType({"const": step.default_answer})
    return JsonType({"anyOf": [answered, _written(late)]})


def _kept(step: KeepingStep, own: JsonType) -> JsonType:
    """Return what a step returns whose work comes to something, and which may keep its input."""
    return over_anything(own) if step.keep_input else own


def _of_schema(schema: Any) -> JsonType:
    return ANYTHING if schema is None else JsonType(schema, schema)


def _written(fields: dict[str, JsonType]) -> JsonType:
    schema = {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }
    return JsonType(schema, is_written=True)
