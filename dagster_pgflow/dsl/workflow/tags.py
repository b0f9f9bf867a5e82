"""The metadata of a document as the tags of a flow, and back."""

from collections.abc import Mapping
from typing import Final

from dagster_pgflow.dsl.workflow.parts import Problems
from dagster_pgflow.dsl.workflow.shape import Metadata

VERSION_TAG: Final = "version"
"""The tag that holds the version that the author gave the workflow."""


def tags_of(metadata: Metadata, problems: Problems) -> dict[str, str]:
    """Return the tags of a flow: `team=sales` has a value, `nightly` has none.

    Args:
        metadata: What the workflow is.
        problems: Where to note what is wrong.
    """
    tags: dict[str, str] = {}
    if isinstance(metadata.tags, dict):
        tags |= metadata.tags
    for index, text in enumerate(() if tags else metadata.tags):
        key, _, value = text.partition("=")
        if tags.setdefault(key, value) != value:
            message = f'There is another tag "{key}" with another value; keep one of them.'
            problems.note("tag-twice", f"metadata.tags[{index}]", message)
    if metadata.version is not None and tags.setdefault(VERSION_TAG, metadata.version) != (
        metadata.version
    ):
        message = f'A tag "{VERSION_TAG}" says {tags[VERSION_TAG]}; keep one of them.'
        problems.note("tag-twice", "metadata.version", message)
    return tags


def metadata_of(tags: Mapping[str, str]) -> dict[str, object]:
    """Return the metadata that says these tags: as texts, if a text can say them all."""
    others = {key: value for key, value in tags.items() if key != VERSION_TAG}
    texts = [f"{key}={value}" if value else key for key, value in others.items()]
    version = {VERSION_TAG: tags[VERSION_TAG]} if VERSION_TAG in tags else {}
    written = others if any("=" in key for key in others) else texts
    return version | ({"tags": written} if written else {})
