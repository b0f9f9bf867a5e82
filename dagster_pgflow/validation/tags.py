"""The tags of a flow are few and short, and none is one of ours."""

from collections.abc import Iterator
from typing import Final

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import OWN_TAGS
from dagster_pgflow.validation.rule import KnownFlows

MOST_TAGS: Final = 50
LONGEST_KEY: Final = 127
LONGEST_VALUE: Final = 500
"""In characters. Dagster keeps tags in an index, which takes 2,700 bytes in PostgreSQL."""


def tags_are_few_and_short(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check how many tags there are, how long they are, and that none has the prefix of ours."""
    if len(flow.tags) > MOST_TAGS:
        message = f"There are {len(flow.tags)} tags, and a flow may have {MOST_TAGS}."
        yield Problem("too-many-tags", "tags", message)
    for key, value in flow.tags.items():
        path = f"tags.{key[:LONGEST_KEY]}"
        if len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE:
            yield Problem(
                "tag-too-long",
                path,
                f"A key may have {LONGEST_KEY} characters, a value {LONGEST_VALUE};"
                " what is longer belongs into the description.",
            )
        if key.startswith(OWN_TAGS):
            message = f'Tags that begin with "{OWN_TAGS}" are ours alone; rename it.'
            yield Problem("tag-of-ours", path, message)
