"""What travels between steps: plain JSON, and three marked JSON objects.

A completed step's output travels as it is. A skipped step sends a marker in its place, so that
its dependents still start and decide for themselves; so does one that waits, and they run once it
has gone on. A map step receives and sends batches. An output that looks like a marker is sealed: no
key in a value means anything.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from dagster_pgflow.json_values.limits import TOO_DEEP, TOO_LONG, is_too_long, refusal
from dagster_pgflow.json_values.sealed import SEALED_KEY, seal_always, unseal
from dagster_pgflow.limits import MOST_LEVELS
from dagster_pgflow.model.run_state import Json, SkipReason
from dagster_pgflow.names import BATCH_KEY, SKIPPED_KEY, WAITING_KEY
from dagster_pgflow.reports.told import behind_told, passed_by_told
from dagster_pgflow.step_errors import ValueNotJson
from dagster_pgflow.step_path import StepPath

_MARKERS = (SKIPPED_KEY, WAITING_KEY, BATCH_KEY, SEALED_KEY)
_SHOWN_LENGTH = 200


@dataclass(frozen=True)
class Failure:
    """What is known of a failure that the run goes on from, besides what went wrong.

    Attributes:
        step: The step that failed, in the flow that goes on: for a loop, one that it repeats.
        timed_out: Whether its last attempt took too long.
        received: What it had received, where the step that goes on asks for that.
        members: Of a join that failed with others: what went wrong with each of them, by slug.
    """

    step: str
    timed_out: bool = False
    received: Json | None = None
    members: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that travels."""
        told: dict[str, Any] = {"step": self.step}
        if self.timed_out:
            told["timed_out"] = True
        if self.received is not None:
            told["received"] = self.received.value
        if self.members:
            told["members"] = [[slug, error] for slug, error in self.members.items()]
        return told

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Failure":
        """Return what a JSON object says."""
        return cls(
            told["step"],
            timed_out=told.get("timed_out", False),
            received=Json(told["received"]) if "received" in told else None,
            members=dict(told.get("members", ())),
        )


@dataclass(frozen=True)
class Skipped:
    """A step that did not produce an output.

    Attributes:
        reason: Why.
        step: The path of the step where the skip began, such as `payment.charge`.
        cascade: Whether every transitive dependent is skipped too.
        error: What went wrong, when the step failed and its flow goes on.
        failure: What else is known of that; runs that began with older code do not say.
        not_taken: The paths of the steps behind which the run takes another route than to this one.
            A dependent that both routes behind one of them lead to runs all the same.
        why: What was found out, in words; runs that began with older code do not say.
    """

    reason: SkipReason
    step: StepPath
    cascade: bool = False
    error: str | None = None
    not_taken: tuple[StepPath, ...] = ()
    failure: Failure | None = None
    why: str = field(default="", compare=False)

    @property
    def told(self) -> str:
        """Why the step is skipped, in words; nothing where nobody said."""
        if self.why or not self.not_taken:
            return self.why
        if self.reason == "not_taken":
            return passed_by_told(self.not_taken[0])
        return behind_told(self.not_taken[0], "")

    @property
    def told_behind(self) -> str:
        """Why a step is skipped with this one; of a chain of steps, why the first one is."""
        is_behind = self.reason == "dependency_skipped" and self.told
        return self.told if is_behind else behind_told(self.step, self.told)

    def encloses(self, frame: StepPath) -> bool:
        """Return whether the skipped step is a subflow or a loop that the frame lies in."""
        return frame.is_in(self.step)

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object that travels in place of the output."""
        marker: dict[str, Any] = {
            "reason": self.reason,
            "step": str(self.step),
            "cascade": self.cascade,
        }
        if self.error is not None:
            marker["error"] = self.error
        if self.not_taken:
            marker["not_taken"] = [str(path) for path in self.not_taken]
        if self.failure is not None:
            marker["failure"] = self.failure.to_json()
        if self.why:
            marker["why"] = self.why
        return {SKIPPED_KEY: marker}


def foremost(skips: Iterable[Skipped]) -> Skipped:
    """Return the skip that counts where there are several: a failure, and else the first one."""
    return min(skips, key=lambda skip: skip.error is None)


@dataclass(frozen=True)
class Waiting:
    """A step without an output so far: it waits, or one before it does.

    What receives this does nothing in this Dagster run, and runs in the one that goes on.

    Attributes:
        step: The path of the step that waits.
    """

    step: StepPath

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object that travels in place of the output."""
        return {WAITING_KEY: {"step": str(self.step)}}


@dataclass(frozen=True)
class Batch:
    """Consecutive elements of a map step, or its outputs for them.

    Attributes:
        start: The index of the first one.
        values: The elements or outputs.
        of: How many elements the whole list has; a run that began with older code does not say.
        error: Why the map step cannot run, when it cannot.
        not_before: When its tasks may start, in seconds since the epoch, if that is set.
        failed: The indexes of outputs that are errors, where the map step counts these.
    """

    start: int
    values: tuple[Any, ...]
    of: int | None = None
    error: str | None = None
    not_before: float | None = None
    failed: tuple[int, ...] = ()

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object that travels."""
        content: dict[str, Any] = {"start": self.start, "values": list(self.values)}
        if self.of is not None:
            content["of"] = self.of
        if self.error is not None:
            content["error"] = self.error
        if self.not_before is not None:
            content["not_before"] = self.not_before
        if self.failed:
            content["failed"] = list(self.failed)
        return {BATCH_KEY: content}


def error_element(message: str, attempts: int) -> dict[str, Any]:
    """Return what stands in a list in place of an element that failed for good.

    Args:
        message: What went wrong.
        attempts: How often it was tried.
    """
    return {"error": {"message": message, "attempts": attempts}}


def to_wire(value: Any) -> Any:
    """Return what travels for JSON, `Skipped`, `Waiting` or `Batch`."""
    if isinstance(value, Skipped | Waiting | Batch):
        return value.to_wire()
    return seal_always(value) if _looks_marked(value) else value


def _looks_marked(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _MARKERS


def from_wire(value: Any) -> Any:
    """Return the `Skipped`, `Waiting`, `Batch` or JSON value that travelled."""
    if isinstance(value, dict) and len(value) == 1:
        if WAITING_KEY in value:
            return Waiting(StepPath(value[WAITING_KEY]["step"]))
        if SKIPPED_KEY in value:
            marker = value[SKIPPED_KEY]
            # Before version 0.1 routes were ways, and those not taken were untaken.
            behind = marker.get("not_taken", marker.get("untaken", ()))
            return Skipped(
                marker["reason"],
                StepPath(marker["step"]),
                cascade=marker["cascade"],
                error=marker.get("error"),
                not_taken=tuple(StepPath(path) for path in behind),
                failure=Failure.from_json(marker["failure"]) if "failure" in marker else None,
                why=marker.get("why", ""),
            )
        if BATCH_KEY in value:
            content = value[BATCH_KEY]
            return Batch(
                **{
                    **content,
                    "values": tuple(content["values"]),
                    "failed": tuple(content.get("failed", ())),
                }
            )
    return unseal(value)


def to_json(value: Any) -> Any:
    """Return the value as plain JSON values: dicts, lists, strings, numbers, booleans and None.

    Pydantic models become objects and tuples lists; everything else must be JSON already.

    Raises:
        ValueNotJson: Something in the value is not JSON, or more than JSON may be here; the message
            names its path.
    """
    return _to_json(value, "$", 0)


def _to_json(value: Any, path: str, level: int) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            problem = _problem_of_scalar(value)
            if problem is not None:
                noun = "text" if isinstance(value, str) else "value"
                raise ValueNotJson(f"The {noun} at {_shown(path)} {problem}")
            return value
        case BaseModel():
            return _to_json(value.model_dump(mode="json", by_alias=True), path, level)
        case Mapping():
            below = _level_below(level)
            return {
                _key(key, path): _to_json(item, f"{path}.{key}", below)
                for key, item in value.items()
            }
        case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
            below = _level_below(level)
            return [_to_json(item, f"{path}[{index}]", below) for index, item in enumerate(value)]
        case _:
            raise ValueNotJson(
                f"The value at {_shown(path)} is a {type(value).__name__}, which is not JSON;"
                " return dicts, lists, strings, numbers, booleans, None or pydantic models."
            )


def _level_below(level: int) -> int:
    if level == MOST_LEVELS:
        raise ValueNotJson(refusal("The value", TOO_DEEP))
    return level + 1


def _key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise ValueNotJson(
            f"The object at {_shown(path)} has a key that is a {type(key).__name__};"
            " JSON keys are strings."
        )
    problem = _problem_of_text(key)
    if problem is not None:
        raise ValueNotJson(f"A key of the object at {_shown(path)} {problem}")
    return key


def _shown(path: str) -> str:
    return path if len(path) <= _SHOWN_LENGTH else f"{path[:_SHOWN_LENGTH]} …"


def _problem_of_scalar(value: Any) -> str | None:
    match value:
        case str():
            return _problem_of_text(value)
        case int() if is_too_long(value):
            return f"is refused: {TOO_LONG}."
        case float() if not math.isfinite(value):
            return f"is {value}, which JSON does not have."
        case _:
            return None


def _problem_of_text(text: str) -> str | None:
    if "\x00" in text:
        return "has a NUL character, which PostgreSQL cannot store; remove it."
    if not text.isascii() and not _is_unicode(text):
        return "has a lone surrogate, which is not valid Unicode."
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def kind_of(value: Any) -> str:
    """Return what a JSON value is, in words that fit into a sentence."""
    kinds = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
