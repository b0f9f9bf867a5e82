"""Which runs go to a live worker, and why others do not. Decisions alone: nobody is asked."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

import dagster as dg

from dagster_pgflow.launching.compat import BACKFILL_ID_TAG
from dagster_pgflow.names import (
    TAG_FLOW,
    TAG_LOOP,
    TAG_STORE,
    TAG_WATERMARK,
    own_tag,
)

LAUNCH_ORDERS: Final = (
    "dagster-k8s/*",
    "dagster-docker/*",
    "dagster-celery/*",
    "dagster-cloud/*",
    "dagster_cloud/*",
    "ecs/*",
)
"""Tags with which people say what kind of container or worker a run is to have."""


def is_of_a_flow(run: dg.DagsterRun) -> bool:
    """Return whether a run carries the tags of a flow's job."""
    return all(own_tag(run.tags, tag) for tag in (TAG_FLOW, TAG_STORE, TAG_WATERMARK))


def reason_against(
    run: dg.DagsterRun, pinned: Mapping[str, str], ordinary_tags: Sequence[str] = ()
) -> str | None:
    """Return why a run of a flow is not for a live worker; `None` when nothing stands against it.

    Args:
        run: The run.
        pinned: The tags of the job that it executes. Those of the run people may have edited.
        ordinary_tags: Tags that say that a run is not for it; `*` stands for any text.
    """
    reasons = {
        "its job is not that of a flow": not _is_flow(pinned),
        "it is one iteration of a loop, and no flow": own_tag(pinned, TAG_LOOP) is not None,
        "it executes a selection of ops": run.op_selection or run.resolved_op_selection,
        "it is for assets": run.asset_selection or run.asset_check_selection,
        "it is part of a backfill": BACKFILL_ID_TAG in run.tags,
        "its config says how it is to be executed": run.run_config.get("execution"),
    }
    found = (reason for reason, stands in reasons.items() if stands)
    return next(found, None) or _order_in(run.tags, ordinary_tags)


def _is_flow(pinned: Mapping[str, str]) -> bool:
    is_ours = own_tag(pinned, TAG_FLOW) and own_tag(pinned, TAG_STORE)
    return bool(is_ours) and (own_tag(pinned, TAG_WATERMARK) or "").isdecimal()


def _order_in(tags: Mapping[str, str], ordinary_tags: Sequence[str]) -> str | None:
    patterns = (*LAUNCH_ORDERS, *ordinary_tags)
    orders = (key for key in sorted(tags) if any(fnmatchcase(key, one) for one in patterns))
    found = next(orders, None)
    return None if found is None else f"its tag {found} says how it is to be launched"
