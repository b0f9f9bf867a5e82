"""What a cell asks that halts for a person."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from dagster_pgflow.dsl.manifest.malli import schema_of_value
from dagster_pgflow.dsl.manifest.shapes import AnyJson, Name, Text, Translated, Whole, Word
from dagster_pgflow.dsl.manifest.shapes_of_many import Field, Listed, Record
from dagster_pgflow.model.steps.waiting import OnDeadline

HALT: Final = Record(
    "a halt",
    {
        "prompt": Field(
            Text(), "What the person is asked.", "May ${$input.who} spend this?", is_required=True
        ),
        "answerers": Field(
            Listed(Name("somebody")), "Who may answer; anybody where nothing is said.", ["boss"]
        ),
        "answer-schema": Field(
            Translated(schema_of_value, {"type": ["object", "array", "string"]}),
            "What the answer must be.",
            "boolean",
        ),
        "deadline": Field(Whole(), "How many seconds it waits at most.", 86_400),
        "on-deadline": Field(
            Word(get_args(OnDeadline)),
            "What happens then: it fails, is skipped, or goes on without an answer.",
            "continue",
        ),
        "default-answer": Field(AnyJson(), "The answer with which it goes on then.", example=False),
        "key": Field(Text(), "CEL that says for which answers it waits.", "input.order"),
        "reminders": Field(
            Listed(Whole()), "After how many seconds somebody is to be reminded.", [3_600]
        ),
    },
    meant={"approvers": "answerers", "question": "prompt", "message": "prompt"},
)


def halt_of(read: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return what was read as fields of an approval; a text is what is asked.

    Args:
        read: A text, or what `HALT` read.
    """
    if isinstance(read, str):
        return {"prompt": read}
    return {name.replace("-", "_"): value for name, value in read.items()}
