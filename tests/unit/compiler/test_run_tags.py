"""What the tags of a flow become in Dagster, where tags are orders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow import Flow
from dagster_pgflow.compiler.run_tags import run_tags, withheld
from dagster_pgflow.names import TAG_MAX_RECOVERIES, TAG_STORE
from dagster_pgflow.validation.tags import LONGEST_VALUE, MOST_TAGS, tags_are_few_and_short
from tests.unit.compiler.locations import emitter
from tests.unit.validation.problems import places

ORDERS = [
    "dagster-k8s/config",
    "ecs/container_overrides",
    "dagster/priority",
    "dagster/concurrency_key",
    "dagster/image",
    ".dagster/grpc_info",
    "dagster-celery/queue",
]


@pytest.mark.parametrize("key", ORDERS)
def test_no_tag_of_a_flow_gives_an_order_to_dagster(key: str) -> None:
    flow = Flow("f", tags={key: "9", "team": "x"}).step("a")
    job = emitter([flow]).job("f", {})
    assert job.tags == {"pgflow/team": "x", TAG_MAX_RECOVERIES: "3"}
    assert f"do not get the tags `{key}`" in str(job.description)


@pytest.mark.parametrize("key", ["user", "kind", "team", "a.b-c_D"])
def test_a_plain_tag_has_the_namespace_of_flows(key: str) -> None:
    assert run_tags({key: "x"}) == {f"pgflow/{key}": "x"}
    assert run_tags({f"pgflow/{key}": "x"}) == {f"pgflow/{key}": "x"}


def test_a_code_location_lets_tags_out_by_key_or_pattern() -> None:
    tags = {"team": "x", "dagster/priority": "9", "ecs/cpu": "1", "dagster/image": "evil"}
    assert run_tags(tags, ["team", "dagster/priority", "ecs/*"]) == {
        "team": "x",
        "dagster/priority": "9",
        "ecs/cpu": "1",
    }
    assert withheld(tags, ["team", "dagster/priority", "ecs/*"]) == ["dagster/image"]


def test_tags_of_ours_are_never_let_out() -> None:
    assert run_tags({"dagster-pgflow/store": "x"}, ["*", "dagster-pgflow/store"]) == {}
    assert run_tags({TAG_STORE: "x"}, ["*", TAG_STORE]) == {}
    forged = Flow("f", tags={"dagster-pgflow/store": "x"}).step("a")
    assert places(tags_are_few_and_short, forged) == [("tag-of-ours", "tags.dagster-pgflow/store")]
    assert emitter([forged]).job("f", {}).tags == {}


@given(st.dictionaries(st.text() | st.sampled_from(ORDERS), st.text(), max_size=9))
def test_whatever_is_a_tag_it_stays_in_the_namespace(tags: dict[str, str]) -> None:
    assert all(key.startswith("pgflow/") for key in run_tags(tags))


def test_tags_are_few_and_short_also_where_the_definition_slipped_through() -> None:
    many = {f"t{number}": "x" for number in range(MOST_TAGS + 1)}
    assert places(tags_are_few_and_short, Flow("f", tags=many)) == [("too-many-tags", "tags")]
    assert len(run_tags(many)) == MOST_TAGS
    long = {"t": "x" * (LONGEST_VALUE + 1)}
    assert places(tags_are_few_and_short, Flow("f", tags=long)) == [("tag-too-long", "tags.t")]
    assert run_tags(long) == {}
