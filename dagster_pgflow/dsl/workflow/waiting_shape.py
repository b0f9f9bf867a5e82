"""What the config of nodes says that wait: for a person, for a signal, for a time."""

from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict

from dagster_pgflow.model.described import Examples, examples_of
from dagster_pgflow.model.exact import Whole
from dagster_pgflow.model.steps.fields import JsonSchema
from dagster_pgflow.model.steps.waiting import OnDeadline, WaitingStep


def _listed(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


Names = Annotated[list[str], BeforeValidator(_listed, json_schema_input_type=str | list[str])]


class WaitingConfig(BaseModel):
    """What nodes say that wait for an answer.

    Attributes:
        deadline: How many seconds it waits at most.
        on_deadline: What happens then: it fails, is skipped, or goes on without an answer.
        default_answer: What it returns as the answer when it goes on without one.
        key: CEL that says for which of the answers of one name it waits.
        answer_schema: JSON Schema of the answer.
        reminders: After how many seconds somebody is to be reminded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    examples: ClassVar[Examples] = examples_of(WaitingStep)

    deadline: Whole | None = None
    on_deadline: OnDeadline = "fail"
    default_answer: Any = None
    key: str | None = None
    answer_schema: JsonSchema | None = None
    reminders: list[Whole] = []


class ApprovalConfig(WaitingConfig):
    """What a person is asked, and until when.

    Attributes:
        prompt: What the person is asked; it may hold references.
        answerers: Who may answer: names or roles; anybody when there are none.
    """

    examples: ClassVar[Examples] = {
        "prompt": "May ${$input.who} spend this?",
        "answerers": ["boss"],
    }

    prompt: str
    answerers: Names = []


class WaitConfig(WaitingConfig):
    """For which signal a node waits, and until when.

    Attributes:
        signal: The name of the signal.
    """

    examples: ClassVar[Examples] = {"signal": "payment_arrived"}

    signal: str


class SleepConfig(BaseModel):
    """How long a node sleeps: one of both.

    Attributes:
        seconds: How many seconds after it began.
        until: CEL that gives the time, as text such as `2030-01-31T12:00:00Z`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    examples: ClassVar[Examples] = {"seconds": 3600, "until": "input.delivery_date"}

    seconds: Whole | None = None
    until: str | None = None


HITL: Final = "hitl"
WAITING: Final[dict[str, type[BaseModel]]] = {
    "approval": ApprovalConfig,
    HITL: ApprovalConfig,
    "wait": WaitConfig,
    "sleep": SleepConfig,
}
"""The configs of the types of nodes that wait; `hitl` is another word for `approval`."""
