"""Flows as the text of a file, from which `document` reads the same flows."""

import json
from collections.abc import Sequence
from typing import Any, Literal

import yaml

from dagster_pgflow.model.flow import Flow

TextFormat = Literal["yaml", "json"]
WIDTH = 100


def flow_text(flows: Sequence[Flow], text_format: TextFormat) -> str:
    """Return flows as text that ends in a line break.

    One flow is an object; several are a list in JSON, and a document each in YAML.

    Args:
        flows: At least one; what they hold is JSON.
        text_format: The language of the text.
    """
    return document_text([_with_types_first(flow.to_json()) for flow in flows], text_format)


def document_text(documents: Sequence[dict[str, Any]], text_format: TextFormat) -> str:
    """Return documents as text that ends in a line break.

    Args:
        documents: At least one; what they hold is JSON.
        text_format: The language of the text.
    """
    match text_format:
        case "json":
            whole = documents[0] if len(documents) == 1 else [*documents]
            return f"{json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False)}\n"
        case "yaml":
            return yaml.dump_all(
                documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH
            )


def _with_types_first(document: dict[str, Any]) -> dict[str, Any]:
    """Say what a step is before all that it has."""
    steps = [{"type": step["type"], **step} for step in document.get("steps", ())]
    return document | ({"steps": steps} if steps else {})


class _Dumper(yaml.SafeDumper):
    """Writes YAML for people: no anchors, lists indented, text of many lines as such."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write a value that stands twice two times."""
        del data
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002  PyYAML's signature
        """Put the dashes of a list to the right of its key."""
        del indentless
        super().increase_indent(flow, indentless=False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style_of(text))


def _style_of(text: str) -> str | None:
    """Return how to write a text; PyYAML 6 would lose breaks such as U+2028 outside quotes."""
    lines = text.split("\n")
    if not all(line.isprintable() for line in lines):
        return '"'
    if len(lines) == 1:
        return None
    starts_plainly = not text.startswith((" ", "\n"))
    return "|" if starts_plainly and all(line == line.rstrip() for line in lines) else '"'


_Dumper.add_representer(str, _represent_text)
