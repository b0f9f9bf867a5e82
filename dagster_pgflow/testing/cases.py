"""Cases in files: an input, mocks and answers, and what is expected of the run.

A mock and an answer are JSON, which is returned. An object whose keys begin with `$` says what JSON
cannot: `{$raises: "declined"}` raises, `{$attempts: [...]}` has one mock for each attempt,
`{$returns: ...}` returns what would otherwise be read so; `{$by: kim, $answer: ...}` says who
answered, `{$deadline: passed}` that nobody did.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dagster_pgflow.dsl.reading.files import text_of_file
from dagster_pgflow.dsl.reading.json_text import read_json
from dagster_pgflow.dsl.reading.unreadable import Unreadable
from dagster_pgflow.dsl.reading.yaml_text import read_yaml
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.in_process.result import ResultStatus
from dagster_pgflow.in_process.waits import DEADLINE_PASSED, GivenAnswer
from dagster_pgflow.model.run_state import SkipReason, StepStatus
from dagster_pgflow.step_errors import NonRetryable
from dagster_pgflow.testing.case_problems import sentences_of

RAISES: Final = "$raises"
RETRIES: Final = "$retries"
ATTEMPTS: Final = "$attempts"
RETURNS: Final = "$returns"
ANSWER: Final = "$answer"
BY: Final = "$by"
DEADLINE: Final = "$deadline"

StepWord = Literal[StepStatus, SkipReason]
"""What a step may be expected to be: its status, or why it was skipped."""


class MockedError(RuntimeError):
    """What a mock raises that a case says raises."""


class Expected(BaseModel):
    """What is expected of a run; what is left out is not looked at.

    Attributes:
        status: How it ended.
        output: What it returned.
        error: A part of its error.
        route: Steps that it went through in this order; others may lie between them.
        steps: By the path of the step, its status, or why it was skipped.
        outputs: By the path of the step, what it returned.
        attempts: By the path of the step, how often its tasks were tried.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    status: ResultStatus | None = None
    output: Any = None
    error: str | None = None
    route: tuple[str, ...] = ()
    steps: Mapping[str, StepWord] = Field(default_factory=dict)
    outputs: Mapping[str, Any] = Field(default_factory=dict)
    attempts: Mapping[str, int] = Field(default_factory=dict)

    @property
    def has_output(self) -> bool:
        """Whether an output is expected: it may be null."""
        return "output" in self.model_fields_set


class Case(BaseModel):
    """One run, and what is expected of it.

    Attributes:
        name: A sentence that says what it shows.
        flow: The slug of the flow, where a file has several.
        input: The input.
        mock: What stands in for handlers, by the paths of steps.
        only_mocks: Whether no handler is called itself; without a word, as the command line says.
        answers: What steps that wait are answered, by their paths.
        expect: What is expected.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    flow: str | None = None
    input: Any = None
    mock: Mapping[str, Any] = Field(default_factory=dict)
    only_mocks: bool | None = None
    answers: Mapping[str, Any] = Field(default_factory=dict)
    expect: Expected

    @property
    def has_input(self) -> bool:
        """Whether it says an input: it may be null."""
        return "input" in self.model_fields_set


class _CaseFile(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    cases: tuple[Case, ...] = Field(min_length=1)


_MODELS: Final[Mapping[str, type[BaseModel]]] = {
    "": _CaseFile,
    "cases": Case,
    "expect": Expected,
}


def read_cases(path: Path) -> tuple[Case, ...]:
    """Read the cases of a YAML or JSON file: a list, or an object with a list `cases`.

    Raises:
        ConfigurationError: It has none, with all that is wrong.
    """
    try:
        text = text_of_file(path)
        documents = [read_json(text)] if path.suffix.lower() == ".json" else read_yaml(text)
    except Unreadable as reason:
        raise ConfigurationError(f"{path}: {reason.place}: {reason}") from reason
    if len(documents) != 1:
        raise ConfigurationError(f"{path} holds {len(documents)} documents; write one.")
    [found] = documents
    content = {"cases": found} if isinstance(found, list) else found
    try:
        cases = _CaseFile.model_validate(content).cases
    except ValidationError as error:
        lines = "\n".join(f"  - {line}" for line in sentences_of(error, _MODELS))
        raise ConfigurationError(f"{path} holds no cases:\n{lines}") from error
    names = [case.name for case in cases]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigurationError(f'{path} has two cases called "{twice}"; rename one.')
    return cases


def mocks_of(case: Case) -> dict[str, Any]:
    """Return the mocks of a case as `run_flow` takes them.

    Raises:
        ConfigurationError: One is written as no mock can be.
    """
    return {path: _mock(value, f"mock of {path}") for path, value in case.mock.items()}


def answers_of(case: Case) -> dict[str, Any]:
    """Return the answers of a case as `run_flow` takes them.

    Raises:
        ConfigurationError: One is written as no answer can be.
    """
    return {path: _answer(value, f"answer of {path}") for path, value in case.answers.items()}


def _mock(value: Any, place: str) -> Any:
    if not _is_special(value):
        # A list of JSON is what the step returns; only `$attempts` is one for each attempt.
        return value
    match value:
        case {"$raises": str(message), **rest} if rest.keys() <= {RETRIES}:
            return MockedError(message) if rest.get(RETRIES, True) else NonRetryable(message)
        case {"$attempts": [*attempts]} if attempts and len(value) == 1:
            return _attempts([_mock(one, place) for one in attempts])
        case {"$returns": returned} if len(value) == 1:
            return returned
        case _:
            raise ConfigurationError(
                f"The {place} has the keys {', '.join(value)}; write {{{RAISES}: text}}, with"
                f" {RETRIES}: false if need be, {{{ATTEMPTS}: [...]}}, {{{RETURNS}: ...}}, or JSON"
                f" without such keys."
            )


def _attempts(attempts: list[Any]) -> Any:
    """Return what has a mock for each attempt, be there an error among them or not."""
    made = iter(attempts)
    last = attempts[-1]

    def each_time(_input: Any) -> Any:
        mock = next(made, last)
        if isinstance(mock, Exception):
            raise mock
        return mock

    return attempts if any(isinstance(one, Exception) for one in attempts) else each_time


def _answer(value: Any, place: str) -> Any:
    if not _is_special(value):
        return value
    match value:
        case {"$deadline": "passed"} if len(value) == 1:
            return DEADLINE_PASSED
        case {"$answer": answer, **rest} if rest.keys() <= {BY}:
            return GivenAnswer(answer, value.get(BY))
        case _:
            raise ConfigurationError(
                f"The {place} has the keys {', '.join(value)}; write {{{ANSWER}: ..., {BY}: name}},"
                f" {{{DEADLINE}: passed}}, or JSON without such keys."
            )


def _is_special(value: Any) -> bool:
    return isinstance(value, dict) and any(str(key).startswith("$") for key in value)
