"""What a handler can ask about the step it works for."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dagster_pgflow.model.options import DEFAULT_TIMEOUT
from dagster_pgflow.runtime.asset_keys import TaskAssets


@dataclass(frozen=True)
class StepContext:
    """The second argument of a handler that takes one.

    Attributes:
        flow_input: The input of the flow that the step belongs to.
        run_id: The run's id in `pgflow.runs`.
        flow_slug: The flow that the step belongs to.
        step_slug: The step.
        step_path: The step's place in the run, such as `payment.charge`.
        task_index: The index of the element in a map step, else 0.
        task_path: The step's place, and in a map step the element's: `payment.charge[3]`.
        attempt: Which try this is, from 1.
        idempotency_key: The same text for every try of this task, and for no other task: hand
            it to outside systems that should do a thing once.
        params: What the definition gives the step: a dict, or what the handler says it takes.
        log: A logger whose lines show in the Dagster UI.
        resources: The Dagster resources of the code location.
        iteration: Which iteration of the innermost loop around the step this is, from 1; 0 outside
            of loops.
        depends_on: The dependencies whose outputs make up the input, by the names that they have
            in it; none at the root of a flow, in a map step, and where they are merged.
        deps: What the completed dependencies returned, by the same names, also where it is merged;
            none in a map step.
        timeout: Seconds that this try may take.
        secrets: The secrets among the params, which belong in no log.
        assets: Which assets the task materializes; `materialize` adds to them.
    """

    flow_input: Any
    run_id: str
    flow_slug: str
    step_slug: str
    step_path: str
    task_index: int
    task_path: str
    attempt: int
    idempotency_key: str
    params: Any
    log: logging.Logger
    resources: Any
    iteration: int = 0
    depends_on: tuple[str, ...] = ()
    deps: Mapping[str, Any] = field(default_factory=dict, repr=False)
    timeout: float = DEFAULT_TIMEOUT
    secrets: tuple[str, ...] = field(default=(), repr=False)
    assets: TaskAssets = field(default_factory=TaskAssets, repr=False)

    def materialize(
        self,
        key: str,
        *,
        metadata: Mapping[str, Any] | None = None,
        partition: str | None = None,
    ) -> None:
        """Say that an asset is materialized when the step completes.

        Of a key that the step `produces` it says more; another one is materialized besides.

        Args:
            key: The key, as definitions write it: `raw/orders`.
            metadata: What is said of it: JSON, or values of `dagster.MetadataValue`, by name.
            partition: Which partition of the asset it is; without it, what the step says.

        Raises:
            NonRetryable: The key or the partition can be none.
        """
        self.assets.say(key, metadata, partition)
