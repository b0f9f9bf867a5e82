"""Flows as text, and back."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings

from dagster_pgflow.dsl.document import read_flow_file
from dagster_pgflow.dsl.flow_text import TextFormat, flow_text
from dagster_pgflow.model.flow import Flow
from tests.drawn_flows import AWKWARD_JSON, AWKWARD_TEXTS, flows

FORMATS: list[TextFormat] = ["yaml", "json"]


def read_back(folder: Path, text: str, text_format: str) -> tuple[Flow, ...]:
    path = folder / f"flow.{text_format}"
    path.write_text(text, encoding="utf-8", newline="\n")
    file = read_flow_file(path)
    assert file.problems == ()
    return file.flows


@pytest.mark.parametrize("text_format", FORMATS)
@settings(
    max_examples=60,
)
@given(flow=flows(texts=AWKWARD_TEXTS, values=AWKWARD_JSON))
def test_a_flow_is_read_as_it_was_written(
    tmp_path: Path, text_format: TextFormat, flow: Flow
) -> None:
    [read] = read_back(tmp_path, flow_text([flow], text_format), text_format)
    # As texts, because Python holds 1, 1.0 and true for equal.
    assert repr(read.to_json()) == repr(flow.to_json())


@pytest.mark.parametrize("text_format", FORMATS)
@settings(max_examples=80)
@given(value=AWKWARD_TEXTS)
@example(value="a\n b\n\nc\n")
@example(value="a\n\n\n")
@example(value="a\x85b\u2028c\u2029")
@example(value="# no comment\n- a: b")
@example(value="x " * 200)
@example(value="2026-01-01")
def test_a_text_is_the_same_as_value_and_as_key(
    tmp_path: Path, text_format: TextFormat, value: str
) -> None:
    flow = Flow("f", description=value).step("a", params={value: value, "in": {"deep": [value]}})
    assert read_back(tmp_path, flow_text([flow], text_format), text_format) == (flow,)


@pytest.mark.parametrize("text_format", FORMATS)
def test_several_flows_stand_in_one_file(tmp_path: Path, text_format: TextFormat) -> None:
    several = (Flow("a").step("s"), Flow("b").subflow("s", "a"))
    assert read_back(tmp_path, flow_text(several, text_format), text_format) == several


def test_yaml_reads_well() -> None:
    tags: dict[str, Any] = {"card": True}
    flow = (
        Flow("order", description="Takes an order,\nand its payment.\n", timeout=30)
        .step("fetch", params={"a": tags, "b": tags})
        .map("price", depends_on="fetch", if_={"fetch": [{"kind": "größe"}]})
        .schedule("nightly", "0 2 * * *")
    )
    assert flow_text([flow], "yaml") == (
        "slug: order\n"
        "description: |\n"
        "  Takes an order,\n"
        "  and its payment.\n"
        "options:\n"
        "  timeout: 30\n"
        "steps:\n"
        "  - type: single\n"
        "    slug: fetch\n"
        "    params:\n"
        "      a:\n"
        "        card: true\n"
        "      b:\n"
        "        card: true\n"
        "  - type: map\n"
        "    slug: price\n"
        "    depends_on:\n"
        "      - fetch\n"
        "    if:\n"
        "      fetch:\n"
        "        - kind: größe\n"
        "schedules:\n"
        "  - slug: nightly\n"
        "    cron: 0 2 * * *\n"
    )
