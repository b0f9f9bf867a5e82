"""Random manifests, read, compiled and run in real Dagster, do what their rules say.

`make test` runs a few, the same each time. For a long search:
`pytest tests/execution/test_manifests_against_reference.py --hypothesis-profile=deep`.
"""

from collections.abc import Iterator
from typing import Any

from hypothesis import given, seed, settings

from dagster_pgflow.dsl.manifest.compile import flow_of_manifest
from dagster_pgflow.dsl.manifest.manifest import Cell, ErrorGroup, Join, Manifest
from dagster_pgflow.dsl.manifest_text import read_manifest
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.validate import validate
from tests.manifests_reference.drawing import Drawn, drawn_manifests
from tests.manifests_reference.running import differences
from tests.manifests_reference.writing import as_edn, as_object, as_yaml

EXAMPLES = settings().max_examples
IS_LONG = EXAMPLES > 100
SHORT_SEARCH = 4
SEED = 1


def flow_of(drawn: Drawn) -> Flow:
    """Returns the flow of a manifest, which is the same as an object and in YAML."""
    flow = read_manifest(as_object(drawn), flows=set(drawn.children))
    assert read_manifest(as_yaml(drawn), flows=set(drawn.children)) == flow
    return read_manifest(as_edn(drawn), flows=set(drawn.children))


def children_of(drawn: Drawn) -> Iterator[Drawn]:
    """Yields the manifests that cells run, those first that others run."""
    for child in drawn.children.values():
        yield from children_of(child)
        yield child


@settings(max_examples=EXAMPLES if IS_LONG else SHORT_SEARCH)
@given(drawn_manifests())
def test_a_manifest_goes_the_way_and_ends_with_the_data_that_its_rules_say(drawn: Drawn) -> None:
    others = [flow_of(child) for child in children_of(drawn)]
    flow = flow_of(drawn)
    assert [str(problem) for problem in validate(flow)] == []
    for data in drawn.inputs:
        assert differences(drawn, flow, others, data) == []


def does(*doing: list[Any]) -> Cell:
    return Cell("work", params={"does": [*doing]})


def test_a_join_hands_its_failures_on_with_the_snapshot() -> None:
    cells = {"start": does(["set", "a", 1]), "p": does(["fail", "boom1"])}
    manifest = Manifest(
        "m",
        {**cells, "q": does(["set", "b", 2]), "f": does()},
        {"start": {"": "j"}, "j": {"done": "error", "failure": "f"}, "f": {"": "end"}},
        joins={"j": Join(("p", "q"))},
    )
    assert differences(Drawn(manifest), flow_of_manifest(manifest), [], {"x": 1}) == []


def test_a_cell_that_returns_no_object_fails_itself() -> None:
    manifest = Manifest(
        "m",
        {"start": does(["list"]), "a": does(), "f": does()},
        {"start": {"": "a"}, "a": {"": "end"}, "f": {"": "end"}},
        error_groups={"g": ErrorGroup(("start",), "f")},
        propagate_keys=False,
    )
    assert differences(Drawn(manifest), flow_of_manifest(manifest), [], {"x": 1}) == []


if not IS_LONG:
    seed(SEED)(test_a_manifest_goes_the_way_and_ends_with_the_data_that_its_rules_say)
