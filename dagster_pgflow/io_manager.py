"""How values travel from step to step: as JSON in Postgres, so that no shared disk is needed."""

from collections.abc import Sequence
from copy import copy
from typing import Any, Self
from uuid import UUID

import dagster as dg
from upath import UPath

from dagster_pgflow.errors import StoreError
from dagster_pgflow.json_values.text import read_own_json, write_own_json
from dagster_pgflow.runtime.memory import TakesAnnouncements
from dagster_pgflow.runtime.op_cut_off import left_out_by
from dagster_pgflow.store.announced_outputs import AnnouncedOutputs
from dagster_pgflow.store.outputs import OutputKey, OutputStore, StoredOutput
from dagster_pgflow.store.recent_outputs import RecentOutputs

DEFAULT_SPILL_BYTES = 1024 * 1024
DEFAULT_MEMORY_BYTES = 32 * 1024 * 1024


MOST_TOGETHER = 500
MOST_BYTES_TOGETHER = 1024 * 1024
"""How many outputs of an op, and how much text, are stored in one statement."""


class PgflowIOManager(dg.IOManager, TakesAnnouncements):
    """Keeps the outputs of steps in `pgflow.step_outputs`.

    A code location makes one of it for each run (`in_each_run`). That one remembers what it has
    stored, so a step that follows in the same process gets it without asking the database.

    Args:
        outputs: The table.
        spill_to: A folder, on disk or in an object store (`s3://...`, with the fsspec package
            for it), that takes outputs too large for the table; without it all go to the table.
            Every process of a run must reach it.
        spill_bytes: The size in bytes of the JSON text above which an output goes to the folder.
        memory_bytes: How much JSON text one run may remember; 0 turns that off.
    """

    def __init__(
        self,
        outputs: OutputStore,
        spill_to: str | UPath | None = None,
        spill_bytes: int = DEFAULT_SPILL_BYTES,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
    ) -> None:
        self._outputs = outputs
        self._spill_to = UPath(spill_to) if spill_to is not None else None
        self._spill_bytes = spill_bytes
        self._memory_bytes = memory_bytes
        # Whoever uses it for several runs in several processes has nothing to remember.
        self._recent = RecentOutputs(0)
        self._announced = AnnouncedOutputs()

    def remembering(self) -> Self:
        """Return the same IO manager for one run: what it stores, it can load without asking."""
        remembering = copy(self)
        remembering._recent = RecentOutputs(self._memory_bytes)  # noqa: SLF001  of the same class
        remembering._announced = AnnouncedOutputs()  # noqa: SLF001
        return remembering

    def announce(
        self, run_id: str, step_key: str, outputs: Sequence[dg.DynamicOutput[Any]]
    ) -> None:
        """Take note of what an op is about to send: with the first, the next can be stored too."""
        run = UUID(run_id)
        self._announced.announce(
            (OutputKey(run, step_key, output.output_name, output.mapping_key), output.value)
            for output in outputs
        )

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Store an output; it is committed when this returns."""
        key = _key_of(context)
        if self._announced.was_stored(key, obj):
            return
        together: list[StoredOutput] = []
        texts: list[str] = []
        for each, value in self._announced.from_here(key, obj):
            texts.append(write_own_json(value, f'The output of step "{each.step_key}"'))
            together.append(self._placed(each, texts[-1]))
            if len(texts) == MOST_TOGETHER or sum(map(len, texts)) > MOST_BYTES_TOGETHER:
                break
        for output in together:
            self._recent.drop(output.key)
        try:
            self._outputs.put_all(together)
        except BaseException:
            self._announced.forget()
            raise
        for output, text in zip(together, texts, strict=True):
            self._recent.keep(output.key, text)

    def _placed(self, key: OutputKey, text: str) -> StoredOutput:
        """Return what the table is to say of an output, whose file is written then, if it has one.

        Args:
            key: Its name.
            text: JSON in ASCII, so that its length is its size.
        """
        if self._spill_to is None or len(text) <= self._spill_bytes:
            return StoredOutput(key, text, None, len(text))
        place = self._spill_to / str(key.dagster_run_id) / f"{_file_name(key)}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return StoredOutput(key, None, str(place), len(text))

    def load_input(self, context: dg.InputContext) -> Any:
        """Load the output that feeds an input, from this run or the run that it repeats."""
        upstream = context.upstream_output
        if upstream is None:
            raise StoreError(f'No step feeds input "{context.name}", so nothing can be loaded.')
        try:
            key = _key_of(upstream)
        except dg.DagsterInvariantViolationError as error:
            left_out = left_out_by(context)
            if left_out is not None:
                return left_out.to_wire()
            # A re-execution from the failed step on, after the flow has got other steps.
            raise StoreError(
                f'Step "{upstream.step_key}" was no part of the run that is repeated, because the'
                " flow was changed since; start a new run, or re-execute all steps."
            ) from error
        recent = self._recent.text_of(key)
        if recent is not None:
            return read_own_json(recent, f'The output of step "{key.step_key}"')
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


def in_each_run(manager: PgflowIOManager) -> dg.IOManagerDefinition:
    """Return what makes Dagster take another one, which remembers, wherever a run executes.

    Dagster makes the resources of a run anew in each process that executes steps of it, and lets
    them go with the last of these steps. So what one of them remembers is from this run and this
    process; a worker that executes steps of one run between those of others makes one for each.
    """
    return dg.IOManagerDefinition(resource_fn=lambda _context: manager.remembering())


def _key_of(context: dg.OutputContext) -> OutputKey:
    return OutputKey(
        UUID(context.run_id), context.step_key, context.name, context.mapping_key or ""
    )


def _file_name(key: OutputKey) -> str:
    return "-".join(part for part in (key.step_key, key.output_name, key.mapping_key) if part)
