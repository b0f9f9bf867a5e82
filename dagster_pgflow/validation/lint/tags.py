"""The tags of a flow are those of its runs."""

import re
from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import OWN_TAGS, USER_TAGS
from dagster_pgflow.validation.rule import KnownFlows

_KEY = re.compile(r"([A-Za-z0-9_.-]{1,63}/)?[A-Za-z0-9_.-]{1,63}")


def tags_reach_the_runs(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Look for tags that runs have only where the code location allows it, or never."""
    for key in flow.tags:
        if _KEY.fullmatch(key) is None:
            yield Problem(
                "tag-without-effect",
                f"tags.{key[:127]}",
                "Runs do not get this tag: Dagster's tags have up to 63 letters, digits,"
                ' underscores, dots and hyphens, and one "/" at most.',
            )
        elif "/" in key and not key.startswith((OWN_TAGS, USER_TAGS)):
            yield Problem(
                "tag-to-be-allowed",
                f"tags.{key}",
                'A tag with a "/" can give orders to Dagster and to what launches its runs. Runs'
                f' get it only if the code location says allowed_tags=["{key}"], and without that'
                " the flow cannot be stored.",
            )
