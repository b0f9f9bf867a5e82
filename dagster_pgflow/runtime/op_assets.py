"""What an op tells Dagster of assets: what its step materialized, and what it worked from.

What a task produced is noted when the task completes and told when the op does, behind its outputs:
so what fails, waits or is skipped materializes nothing. The notes are kept with the finished tasks.
So whoever goes on with a batch, another attempt or another run, tells of all of it, once.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from dagster_pgflow.dagster_log.materializations import identity_of, materializations_of
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.json_values.limits import problem_of
from dagster_pgflow.json_values.sealed import seal
from dagster_pgflow.names import ASSET_FACTS
from dagster_pgflow.reports.inlined import json_size
from dagster_pgflow.runtime.asset_keys import SaidAsset, TaskAssets
from dagster_pgflow.runtime.roles import Role
from dagster_pgflow.runtime.secrets import without_secrets
from dagster_pgflow.runtime.values import Skipped
from dagster_pgflow.step_errors import NonRetryable

if TYPE_CHECKING:
    from dagster_pgflow.runtime.op_execution import Execution

Told = dg.AssetMaterialization | dg.AssetObservation

MOST_BYTES: Final = 256 * 1024
"""How large what is said of one asset may be, as Dagster writes it."""


def refuse_unkeyed(execution: "Execution", assets: TaskAssets) -> None:
    """Raise when an asset of a task has no key in Dagster, before anything is done for it.

    Raises:
        NonRetryable: The translator of the code location makes none.
    """
    for key in (*assets.produces, *assets.consumes):
        _key(execution, key)


def note_assets(
    execution: "Execution", index: int, assets: TaskAssets, output: Any, secrets: tuple[str, ...]
) -> None:
    """Note what a completed task materialized, until its op tells.

    Args:
        execution: The execution.
        index: The index of the task.
        assets: The assets.
        output: What the task returned.
        secrets: What must not be told.

    Raises:
        NonRetryable: What the handler said of one cannot be told to Dagster.
    """
    facts = _facts(execution, index, assets, output)
    told: list[Told] = [
        dg.AssetMaterialization(
            asset_key=_key(execution, one.key),
            partition=one.partition,
            metadata={**_metadata(one, secrets), **facts},
        )
        for one in assets.materialized()
    ]
    told += [
        dg.AssetObservation(asset_key=_key(execution, key), metadata=facts)
        for key in dict.fromkeys(assets.consumes)
    ]
    if told:
        execution.tasks.assets[index] = tuple(_written(one) for one in told)


def told_assets(execution: "Execution", role: Role, value: Any) -> Iterator[Told]:
    """Yield what an op tells of assets at its end.

    Args:
        execution: The execution.
        role: What the op does.
        value: What it has come to.
    """
    if role != "step" or isinstance(value, Skipped):
        return
    notes = execution.tasks.notes_of_assets()
    if not notes:
        return
    context = execution.context
    begins_anew = context.retry_number == 0 and not execution.goes_on
    known = frozenset() if begins_anew else materializations_of(context, execution.step_key)
    observed: set[dg.AssetKey] = set()
    for note in notes:
        told = dg.deserialize_value(note, (dg.AssetMaterialization, dg.AssetObservation))
        if isinstance(told, dg.AssetObservation):
            if told.asset_key not in observed:
                observed.add(told.asset_key)
                yield told
        elif identity_of(told) not in known:
            yield told


def _facts(
    execution: "Execution", index: int, assets: TaskAssets, output: Any
) -> Mapping[str, Any]:
    path, run_id = execution.path, execution.run_id
    facts: dict[str, Any] = {
        "flow": execution.flow_slug,
        "step": str(path),
        "run_id": run_id,
        "task_index": index,
        "output_bytes": json_size(output),
        "query": dg.MetadataValue.md(
            "```sql\nselect * from pgflow.step_tasks\n"
            f"where run_id = '{run_id}' and step_path = '{path}' and task_index = {index}\n```"
        ),
    }
    if assets.consumes:
        facts["consumes"] = dg.MetadataValue.json(list(assets.consumes))
    return {f"{ASSET_FACTS}{name}": value for name, value in facts.items()}


def _key(execution: "Execution", key: str) -> dg.AssetKey:
    work = execution.work
    try:
        return work.asset_key(work.flow, work.step, key)
    except InvalidFlow as refused:
        raise NonRetryable(refused.problems[0].message) from refused


def _metadata(one: SaidAsset, secrets: tuple[str, ...]) -> dict[str, dg.MetadataValue[Any]]:
    """Return what a handler said of an asset as Dagster takes it."""
    return {name: _value(one.key, name, value, secrets) for name, value in one.metadata.items()}


def _value(key: str, name: str, value: Any, secrets: tuple[str, ...]) -> dg.MetadataValue[Any]:
    """Return one value; what is a list or an object in it means nothing else to Dagster."""
    if isinstance(value, dg.MetadataValue):
        told: dg.MetadataValue[Any] = value
        return told
    try:
        problem = problem_of(value)
        if problem is None:
            return _of_json(without_secrets(value, secrets))
    except (TypeError, ValueError) as error:
        problem = f"it is no JSON ({error})"
    raise NonRetryable(
        f'ctx.materialize got metadata "{name[:60]}" of "{key}" that Dagster cannot keep: {problem}'
        f" (and a value of dagster.MetadataValue is taken as it is)."
    )


def _of_json(value: Any) -> dg.MetadataValue[Any]:
    match value:
        case bool():
            return dg.MetadataValue.bool(value)
        case int():
            return dg.MetadataValue.int(value)
        case float():
            return dg.MetadataValue.float(value)
        case str():
            return dg.MetadataValue.text(value)
        case None:
            return dg.MetadataValue.null()
        case _:
            return dg.MetadataValue.json(seal(value))


def _written(told: Told) -> str:
    text = dg.serialize_value(told)
    if len(text) > MOST_BYTES:
        raise NonRetryable(
            f'What is said of the asset "{told.asset_key.to_user_string()}" is larger than'
            f" {MOST_BYTES // 1024} KiB; keep it elsewhere, and let metadata say where."
        )
    return text
