"""Which joins would make Dagster wait for ever after a failure, and how they are wired instead.

`tests/execution/test_failures_end.py` runs them.
"""

import pytest

from dagster_pgflow.compiler.passes.collect_apart import collect_apart
from dagster_pgflow.model.flow import Flow
from tests.unit.compiler.drawing import before_and_after

PLAIN = Flow("plain").step("x")
MAPPING = Flow("mapping").step("x").map("m", depends_on="x").step("y", depends_on="m")


def base() -> Flow:
    return (
        Flow("f")
        .step("a")
        .step("b")
        .map("m", depends_on="a")
        .map("n", depends_on="b")
        .step("behind_a", depends_on="a")
        .step("behind_m", depends_on="m")
        .step("behind_n", depends_on="n")
        .map("over_n", depends_on="behind_n")
        .step("behind_over_n", depends_on="over_n")
        .subflow("plain", "plain", depends_on="b")
        .subflow("mapping", "mapping", depends_on="b")
    )


def joined(deps: list[str]) -> tuple[list[str], list[str]]:
    return before_and_after(collect_apart, base().step("d", depends_on=deps), PLAIN, MAPPING)


@pytest.mark.parametrize(
    "deps",
    [
        ["m"],
        ["m", "a"],
        ["m", "b"],
        ["m", "n"],
        ["m", "behind_a"],
        ["m", "behind_m"],
        ["m", "n", "behind_m", "behind_n"],
        ["over_n", "behind_n"],
        ["behind_m", "behind_n"],
        ["m", "plain"],
        ["mapping", "behind_n"],
    ],
)
def test_no_helper_stands_where_a_join_waits_for_no_other_fan_out(deps: list[str]) -> None:
    before, after = joined(deps)
    assert before == after


@pytest.mark.parametrize(
    ("deps", "wired"),
    [
        (["m", "behind_n"], "d: m=m__collect.result, behind_n=behind_n.result"),
        (["behind_n", "m"], "d: behind_n=behind_n.result, m=m__collect.result"),
        (["n", "behind_over_n"], "d: n=n__collect.result, behind_over_n=behind_over_n.result"),
        (["m", "mapping"], "d: m=m__collect.result, mapping__y=mapping.y"),
        (
            ["m", "n", "behind_over_n"],
            "d: m=m__collect.result, n=n__collect.result, behind_over_n=behind_over_n.result",
        ),
    ],
)
def test_a_map_that_is_joined_with_what_waits_for_another_fan_out_is_collected_apart(
    deps: list[str], wired: str
) -> None:
    before, after = joined(deps)
    [changed] = [line for line in before if line.startswith("d: ")]
    collectors = [line for line in after if " collect: " in line]
    assert after == [
        wired if line == changed else line
        for old in before
        for line in (old, *(c for c in collectors if c.startswith(f"{old.split(':')[0]}__collect")))
    ]
    for line in collectors:
        slug = line.split("__collect")[0]
        assert line == f"{slug}__collect collect: batches={slug}.result[]"


def test_the_helper_of_a_subflow_is_fed_so_too() -> None:
    flow = base().subflow("s", "plain", depends_on=["m", "behind_n"])
    _, after = before_and_after(collect_apart, flow, PLAIN, MAPPING)
    assert "m__collect collect: batches=m.result[]" in after
    assert "s__input gather: m=m__collect.result, behind_n=behind_n.result" in after
    assert "s(plain): flow_input=s__input.result" in after


def test_two_joins_share_a_collector() -> None:
    flow = base().step("d", depends_on=["m", "behind_n"]).step("e", depends_on=["m", "mapping"])
    _, after = before_and_after(collect_apart, flow, PLAIN, MAPPING)
    assert sorted(line for line in after if "collect" in line) == [
        "d: m=m__collect.result, behind_n=behind_n.result",
        "e: m=m__collect.result, mapping__y=mapping.y",
        "m__collect collect: batches=m.result[]",
    ]


def test_a_reserved_word_is_collected_under_its_own_name() -> None:
    flow = (
        Flow("f")
        .map("class")
        .map("n")
        .step("behind", depends_on="n")
        .step("d", depends_on=["class", "behind"])
    )
    _, after = before_and_after(collect_apart, flow)
    assert "class__collect collect: batches=class_.result[]" in after
    assert after[-1] == "d: class_=class__collect.result, behind=behind.result"
