"""All warnings about a flow."""

import re
from pathlib import Path

import pytest
from hypothesis import given

from dagster_pgflow.dsl.document import read_flow_file
from dagster_pgflow.examples import FLOW_FILES
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.lint import map_sources
from dagster_pgflow.validation.lint.lint import lint
from dagster_pgflow.validation.validate import validate
from tests.drawn_flows import flows

FLOWS = {
    flow.slug: flow
    for path in FLOW_FILES
    if path.suffix != ".sql"
    for flow in read_flow_file(path).flows
}


@pytest.mark.parametrize("flow", FLOWS.values(), ids=lambda flow: flow.slug)
def test_nothing_is_to_be_said_about_the_examples(flow: Flow) -> None:
    assert lint(flow, FLOWS) == ()


@given(flows())
def test_a_warning_is_about_a_place_and_ends_in_a_full_stop(flow: Flow) -> None:
    places = {"options", "merge_output", *(f"steps.{step.slug}" for step in flow.steps)}
    for warning in lint(flow, {"child": Flow("child").map("m")}):
        assert ".".join(warning.path.split(".")[:2]) in places or warning.path.startswith("tags.")
        assert warning.message.endswith(".")


def test_a_flow_with_warnings_is_sound() -> None:
    flow = Flow("f").step("a", when_unmet="fail").map("m", if_={})
    assert validate(flow) == ()
    assert [warning.code for warning in lint(flow)] == [
        "condition-never-holds",
        "when-unmet-without-condition",
    ]


def test_flows_with_problems_can_be_looked_at_too() -> None:
    broken = Flow("f", output_schema={"required": 7}).step("a", depends_on=["a", "x"])
    broken = (
        broken.step("a").map("m", depends_on=["x", "y"]).step("b", depends_on="c", if_={"c": 1})
    )
    broken = broken.step("c", depends_on="b", when_exhausted="skip-cascade")
    assert validate(broken) != ()
    lint(broken, {})


def test_the_page_about_flows_names_every_warning() -> None:
    page = (Path(__file__).parents[4] / "docs" / "flows.md").read_text()
    table = page.partition("## Warnings")[2].partition("\n## ")[0]
    texts = [path.read_text() for path in Path(map_sources.__file__).parent.glob("*.py")]
    codes = {code for text in texts for code in re.findall(r'Problem\(\s*"([a-z-]+)"', text)}
    assert set(re.findall(r"^\| `([a-z-]+)`", table, re.MULTILINE)) == codes
