"""Carries values between steps in memory, as JSON: what a database keeps otherwise."""

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import dagster as dg

from dagster_pgflow.names import FINISHED_OUTPUT, RESULT_OUTPUT
from dagster_pgflow.runtime.memory import TaskMemory


class KeptKey(NamedTuple):
    """The name of an output.

    Attributes:
        dagster_run_id: The run.
        step_key: The Dagster step, mapping key included.
        output_name: The output of the step.
        mapping_key: Which of a dynamic output.
    """

    dagster_run_id: str
    step_key: str
    output_name: str = RESULT_OUTPUT
    mapping_key: str = ""


@dataclass(frozen=True)
class KeptOutput:
    """An output.

    Attributes:
        key: Its name.
        value: Its value.
        location: Where it lies when it is not here: it always is.
    """

    key: KeptKey
    value: Any
    location: None = None


@dataclass
class OutputsInMemory(TaskMemory):
    """The outputs of steps, and what steps remember from one attempt to the next.

    Attributes:
        texts: JSON texts by their names.
    """

    texts: dict[KeptKey, str] = field(default_factory=dict)

    def of_run(self, dagster_run_id: UUID, output_name: str | None = None) -> list[KeptOutput]:
        """Return the outputs of a run that have one name."""
        return [
            KeptOutput(key, json.loads(text))
            for key, text in self.texts.items()
            if key.dagster_run_id == str(dagster_run_id) and output_name in (None, key.output_name)
        ]

    def remember(self, run_id: str, step_key: str, finished: dict[str, Any]) -> None:
        """Keep the finished elements of a batch until its next attempt."""
        self.texts[KeptKey(run_id, step_key, FINISHED_OUTPUT)] = json.dumps(finished)

    def recall(self, run_id: str, step_key: str) -> dict[str, Any]:
        """Return the finished elements of a batch, or an empty dict."""
        kept = self.texts.get(KeptKey(run_id, step_key, FINISHED_OUTPUT), "{}")
        recalled: dict[str, Any] = json.loads(kept)
        return recalled

    def recall_unfinished(self, run_id: str, step_key: str) -> dict[str, Any] | None:
        """Return the finished elements of a batch, or an empty dict; `None` if it has an output."""
        has_ended = KeptKey(run_id, step_key) in self.texts
        return None if has_ended else self.recall(run_id, step_key)


class InMemoryIOManager(dg.IOManager):
    """Keeps outputs as the database does: as JSON.

    Args:
        outputs: Where they go.
    """

    def __init__(self, outputs: OutputsInMemory) -> None:
        self._outputs = outputs

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Keep an output."""
        self._outputs.texts[_key_of(context)] = json.dumps(obj, allow_nan=False)

    def load_input(self, context: dg.InputContext) -> Any:
        """Return the output that feeds an input, as a value that nobody else has."""
        assert context.upstream_output is not None  # noqa: S101
        return json.loads(self._outputs.texts[_key_of(context.upstream_output)])


def _key_of(context: dg.OutputContext) -> KeptKey:
    return KeptKey(context.run_id, context.step_key, context.name, context.mapping_key or "")
