"""A Python file may use fragments; what is read from it are flows."""

from pathlib import Path

from dagster_pgflow.dsl.document import read_flow_file
from dagster_pgflow.dsl.flow_text import flow_text

TEXT = """
from dagster_pgflow import Flow, Fragment

audit = Fragment("audit", exits={"noted": "note"}).step("look").step("note", depends_on="look")
shop = Flow("shop").step("pay").step("ship")
shop = shop.include(audit, "first", depends_on="pay", exits={"noted": "ship"})
"""


def test_a_flow_from_a_python_file_has_the_steps_of_its_fragments(tmp_path: Path) -> None:
    path = tmp_path / "shop.py"
    path.write_text(TEXT)
    [shop] = read_flow_file(path).flows
    assert [step.slug for step in shop.steps] == ["pay", "ship", "first_look", "first_note"]


def test_such_a_flow_is_a_document_like_all_others(tmp_path: Path) -> None:
    path = tmp_path / "shop.py"
    path.write_text(TEXT)
    [shop] = read_flow_file(path).flows
    document = tmp_path / "shop.yaml"
    document.write_text(flow_text([shop], "yaml"))
    assert read_flow_file(document).flows == (shop,)


def test_a_problem_in_an_inclusion_is_told_with_the_line_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "shop.py"
    path.write_text(TEXT.replace('exits={"noted": "ship"}', 'exits={"noted": "shop"}'))
    read = read_flow_file(path)
    assert read.flows == ()
    [problem] = read.problems
    assert problem.path == "line 6"
    assert 'There is no step "shop" here; add it before the fragment is included.' in str(problem)
