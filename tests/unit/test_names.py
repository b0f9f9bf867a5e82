"""How slugs become Dagster names: one to one, and never in each other's way."""

import keyword
from collections.abc import Iterable
from itertools import product
from uuid import UUID, uuid4

import dagster as dg
import pytest
from dagster._core.definitions.utils import DISALLOWED_NAMES
from hypothesis import example, given
from hypothesis import strategies as st

from dagster_pgflow import names
from dagster_pgflow.compiler.emit_ops import op_definition_name
from dagster_pgflow.names import (
    BATCH_INPUT,
    COLLECTED_INPUT,
    FAN_OUT_SUFFIX,
    FLOW_INPUT,
    HELPER_SUFFIXES,
    RESULT_OUTPUT,
    TAG_CONTINUATION,
    TAG_RUN_ID,
    continuation_id,
    continuation_of,
    dagster_name,
    fan_out_output,
    graph_name,
    is_helper,
    is_valid_slug,
    item_graph_name,
    job_name,
    op_name,
)

AWKWARD = sorted(
    {"_", "__", "a", "a_", "_a", "a__b", "a_b", "b", "b_", "A", "x1", "x__1", "Run", "run_"}
    | {"config", "config_", "config__", "class", "class_", "type", "input", "None", "lambda"}
    | {FLOW_INPUT, BATCH_INPUT, COLLECTED_INPUT, RESULT_OUTPUT, "for_a", f"{FLOW_INPUT}_"}
    | {f"{slug}{suffix}" for slug in ("a", "a_", "_", "") for suffix in HELPER_SUFFIXES}
    | {f"a{suffix}_" for suffix in HELPER_SUFFIXES}
    | {f"{prefix}as_item{suffix}" for prefix in ("", "a__") for suffix in ("", "__0", "__00")}
    | {"problems", "a" * 128}
)
random_slugs = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,127}", fullmatch=True).filter(is_valid_slug)
# Few letters and many underscores: where names could collide, they would collide here.
close_slugs = st.text("ab_1", min_size=1, max_size=6).filter(is_valid_slug)
slugs = st.sampled_from(AWKWARD) | close_slugs | random_slugs


def assert_distinct(found: Iterable[str]) -> None:
    listed = list(found)
    assert len(set(listed)) == len(listed)


def make_op(name: str) -> dg.OpDefinition:
    return dg.OpDefinition(lambda _context, _inputs: None, name=name)


def test_the_reserved_words_are_dagsters_own_list_and_our_inputs() -> None:
    assert names._RESERVED - names._OWN_INPUTS - {"root"} == DISALLOWED_NAMES
    assert set(keyword.kwlist) < names._RESERVED


@pytest.mark.parametrize("slug", ["charge", "a_b", "a__b", "_a", "A1", "runs", "result"])
def test_an_ordinary_slug_is_its_own_name(slug: str) -> None:
    assert dagster_name(slug) == slug


@pytest.mark.parametrize("slug", ["class", "config", "type", "None", FLOW_INPUT, "m__fan_out"])
def test_a_reserved_word_gets_an_underscore_and_makes_room_for_the_next(slug: str) -> None:
    assert dagster_name(slug) == f"{slug}_"
    assert dagster_name(f"{slug}_") == f"{slug}__"


@given(slugs, slugs)
@example("config", "config_")
@example("a__fan_out", "a__fan_out_")
def test_two_steps_never_share_a_name(one: str, other: str) -> None:
    assert (one == other) == (dagster_name(one) == dagster_name(other))


@given(slugs, slugs)
def test_two_flows_never_share_a_job_name(one: str, other: str) -> None:
    assert (one == other) == (job_name(one) == job_name(other))


@given(slugs, slugs, slugs, slugs)
@example("a", "b__c", "a__b", "c")
@example("a_", "b", "a", "_b")
def test_two_steps_of_any_flows_never_share_an_op_name(
    flow: str, step: str, other_flow: str, other_step: str
) -> None:
    one = op_name(flow, dagster_name(step))
    other = op_name(other_flow, dagster_name(other_step))
    assert ((flow, step) == (other_flow, other_step)) == (one == other)


@given(slugs, slugs, slugs)
def test_an_op_is_never_called_as_a_graph(flow: str, step: str, other: str) -> None:
    assert op_name(flow, dagster_name(step)) != graph_name(other)


@given(slugs, slugs, st.sampled_from(HELPER_SUFFIXES))
def test_a_helper_is_never_called_as_a_step(helped: str, step: str, suffix: str) -> None:
    assert f"{helped}{suffix}" != dagster_name(step)
    assert is_helper(f"{helped}{suffix}")
    assert not is_helper(dagster_name(step))


def test_all_names_of_a_location_full_of_awkward_slugs_are_distinct() -> None:
    nodes = [dagster_name(slug) for slug in AWKWARD]
    helpers = [f"{slug}{suffix}" for slug, suffix in product(AWKWARD, HELPER_SUFFIXES)]
    assert_distinct([*nodes, *helpers])
    graphs = [graph_name(slug) for slug in AWKWARD] + [item_graph_name(slug) for slug in AWKWARD]
    ops = [
        op_definition_name(flow, node, in_items=in_items)
        for flow, node, in_items in product(AWKWARD, [*nodes, *helpers], [True, False])
    ]
    assert_distinct([*graphs, *ops])
    assert_distinct([job_name(slug) for slug in AWKWARD])


@given(slugs, slugs)
def test_dagster_accepts_every_name(flow: str, step: str) -> None:
    node = dagster_name(step)
    ops = [make_op(op_name(flow, name)) for name in (node, f"{step}{FAN_OUT_SUFFIX}")]
    dg.GraphDefinition(
        name=graph_name(flow),
        node_defs=ops,
        dependencies={
            dg.NodeInvocation(ops[0].name, node): {},
            dg.NodeInvocation(ops[1].name, f"{step}{FAN_OUT_SUFFIX}"): {},
        },
    ).to_job(name=job_name(flow))
    dg.OpDefinition(
        lambda _context, _inputs: None,
        name=node,
        ins={node: dg.In(), FLOW_INPUT: dg.In(), BATCH_INPUT: dg.In(), COLLECTED_INPUT: dg.In()},
        outs={RESULT_OUTPUT: dg.Out(), fan_out_output(step): dg.DynamicOut()},
    )


@given(slugs)
def test_the_inputs_of_an_op_are_never_called_as_a_dependency(dep: str) -> None:
    assert dagster_name(dep) not in {FLOW_INPUT, BATCH_INPUT, COLLECTED_INPUT}


@given(slugs, slugs)
def test_the_outputs_of_an_op_are_distinct(one: str, other: str) -> None:
    assert fan_out_output(one) != RESULT_OUTPUT
    assert (one == other) == (fan_out_output(one) == fan_out_output(other))


def test_the_longest_slug_is_128_characters() -> None:
    assert is_valid_slug("a" * 128)
    assert not is_valid_slug("a" * 129)


@pytest.mark.parametrize("value", [None, 5, b"a", ["a"], "", "run", "a\n", "1a", "ä", "a-b"])
def test_what_is_no_slug(value: object) -> None:
    assert not is_valid_slug(value)


RUN = UUID("8d5b1f4e-3f65-4a0b-9a53-6f0e1c7d2b11")


def tags_of(number: str, run_id: str = str(RUN)) -> dict[str, str]:
    return {TAG_RUN_ID: run_id, TAG_CONTINUATION: number}


def test_the_id_of_a_continuation_says_which_run_it_goes_on_with() -> None:
    assert continuation_of(str(continuation_id(RUN, 12)), tags_of("12")) == (RUN, 12)


def test_the_ids_of_continuations_stay_what_they_are() -> None:
    assert str(continuation_id(RUN, 1)) == "32287dd4-b7f5-51b5-a3ad-204ff2d02f69"


def test_a_run_with_the_tags_of_a_continuation_and_another_id_is_none() -> None:
    assert continuation_of(str(uuid4()), tags_of("1")) is None
    assert continuation_of(str(continuation_id(RUN, 1)), tags_of("2")) is None
    assert continuation_of(str(continuation_id(uuid4(), 1)), tags_of("1")) is None


@pytest.mark.parametrize("number", ["", "0", "-1", "01", " 1", "1\n", "²", "١", "1e3", "9" * 5000])
def test_a_tag_that_is_no_number_makes_no_continuation(number: str) -> None:
    assert continuation_of(str(continuation_id(RUN, 1)), tags_of(number)) is None


@pytest.mark.parametrize("run_id", ["", "nobody", "0" * 31])
def test_a_tag_that_is_no_run_makes_no_continuation(run_id: str) -> None:
    assert continuation_of(str(continuation_id(RUN, 1)), tags_of("1", run_id)) is None


def test_a_run_without_the_tags_of_a_continuation_is_none() -> None:
    assert continuation_of(str(continuation_id(RUN, 1)), {}) is None
