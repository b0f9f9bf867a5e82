"""What a caller says of steps by their places, mocks and answers, and what of it makes no sense."""

from collections.abc import Callable, Mapping
from typing import Any, assert_never

from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.in_process.paths import FoundStep, Places
from dagster_pgflow.in_process.stand_ins import StandIns, is_error
from dagster_pgflow.in_process.waits import Answers, GivenAnswer, NoAnswer
from dagster_pgflow.model.lowered import LoopNode, LoweredStep
from dagster_pgflow.model.steps import HandledStep, JoinStep, SleepStep, SubflowStep, WaitingStep

Objection = Callable[[FoundStep, Any], str | None]
"""Returns why a step cannot take what is said of it, as the end of a sentence."""


def answers_at(places: Places, answers: Answers) -> Answers:
    """Return answers by the places of steps that wait.

    Args:
        places: Where the steps are.
        answers: Answers by their places as they are written.

    Raises:
        ConfigurationError: There is no such step, or it takes no such answer; with all of these.
    """
    return _at_places(places, answers, "answers", _objection_to_answer)


def stand_ins_at(places: Places, stand_ins: StandIns) -> StandIns:
    """Return what stands in for handlers, by the places of their steps.

    Args:
        places: Where the steps are.
        stand_ins: What stands in, by places as they are written.

    Raises:
        ConfigurationError: There is no such step, or it calls no handler; with all of these.
    """
    return _at_places(places, stand_ins, "mock", _objection_to_stand_in)


def _at_places(
    places: Places, said: Mapping[str, Any], argument: str, objects: Objection
) -> dict[str, Any]:
    found, wrong = {}, []
    for written, value in said.items():
        try:
            one = places.find(written, argument)
        except ConfigurationError as error:
            wrong.append(str(error))
            continue
        objection = objects(one, value)
        if objection is not None:
            wrong.append(f'{argument} names "{written}", {objection}')
        found[one.path] = value
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    return found


def _objection_to_answer(one: FoundStep, answer: Any) -> str | None:
    step = one.step
    if not isinstance(step, WaitingStep | SleepStep):
        return (
            f"and that step does not wait: it is of type {step.type}. What its handler returns"
            f" belongs into mock."
        )
    if isinstance(answer, NoAnswer) and isinstance(step, WaitingStep) and step.deadline is None:
        return "and that step has no deadline that could pass; leave it out, and the run waits."
    value = answer.value if isinstance(answer, GivenAnswer) else answer
    if is_error(value) or callable(value):
        return f"and {value!r} is no answer; give JSON, GivenAnswer or DEADLINE_PASSED."
    return None


def _objection_to_stand_in(one: FoundStep, stand_in: Any) -> str | None:
    if not isinstance(one.step, HandledStep) or not one.step.needs_handler:
        return _why_no_handler(one.step)
    if isinstance(stand_in, GivenAnswer | NoAnswer):
        return f"and {stand_in!r} is an answer to a step that waits; give what the handler returns."
    return None


def _why_no_handler(step: LoweredStep) -> str:
    match step:
        case SubflowStep():
            return f'which runs flow "{step.flow}"; mock the steps of that: "{step.slug}.<step>".'
        case WaitingStep() | SleepStep():
            return "which waits; what it is told belongs into answers."
        case JoinStep() | LoopNode() | HandledStep():
            return f"which is of type {step.type} and calls no handler; mock a step before it."
        case _:
            assert_never(step)
