"""How values travel from step to step: as JSON in Postgres, so that no shared disk is needed."""

from typing import Any
from uuid import UUID

import dagster as dg
from upath import UPath

from dagster_pgflow.errors import StoreError
from dagster_pgflow.json_values.text import read_own_json, write_own_json
from dagster_pgflow.store.outputs import OutputKey, OutputStore

DEFAULT_SPILL_BYTES = 1024 * 1024


class PgflowIOManager(dg.IOManager):
    """Keeps the outputs of steps in `pgflow.step_outputs`.

    Args:
        outputs: The table.
        spill_to: A folder, on disk or in an object store (`s3://...`, with the fsspec package
            for it), that takes outputs too large for the table; without it all go to the table.
            Every process of a run must reach it.
        spill_bytes: The size in bytes of the JSON text above which an output goes to the folder.
    """

    def __init__(
        self,
        outputs: OutputStore,
        spill_to: str | UPath | None = None,
        spill_bytes: int = DEFAULT_SPILL_BYTES,
    ) -> None:
        self._outputs = outputs
        self._spill_to = UPath(spill_to) if spill_to is not None else None
        self._spill_bytes = spill_bytes

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Store an output."""
        key = _key_of(context)
        text = write_own_json(obj, f'The output of step "{key.step_key}"')
        size = len(text.encode())
        if self._spill_to is None or size <= self._spill_bytes:
            self._outputs.put(key, text)
            return
        place = self._spill_to / str(key.dagster_run_id) / f"{_file_name(key)}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        self._outputs.put_location(key, str(place), size)

    def load_input(self, context: dg.InputContext) -> Any:
        """Load the output that feeds an input, from this run or the run that it repeats."""
        upstream = context.upstream_output
        if upstream is None:
            raise StoreError(f'Input "{context.name}" is fed by no step, so nothing can be loaded.')
        try:
            key = _key_of(upstream)
        except dg.DagsterInvariantViolationError as error:
            # A re-execution from the failed step on, after the flow has got other steps.
            raise StoreError(
                f'Step "{upstream.step_key}" was no part of the run that is repeated, because the'
                " flow was changed since; start a new run, or re-execute all steps."
            ) from error
        stored = self._outputs.get(key)
        if stored is None:
            raise StoreError(
                f'The output of step "{key.step_key}" of run {key.dagster_run_id} is not in'
                " pgflow.step_outputs any more; start the run again from its first step."
            )
        if stored.location is None:
            return stored.value
        text = UPath(stored.location).read_text(encoding="utf-8")
        return read_own_json(text, f'The output of step "{key.step_key}"')


def _key_of(context: dg.OutputContext) -> OutputKey:
    return OutputKey(
        UUID(context.run_id), context.step_key, context.name, context.mapping_key or ""
    )


def _file_name(key: OutputKey) -> str:
    return "-".join(part for part in (key.step_key, key.output_name, key.mapping_key) if part)
