"""Manifests as flows: what is done around cells, and what values are held to."""

from dagster_pgflow.dsl.manifest.manifest import (
    Cell,
    Interceptor,
    InterceptorScope,
    Transform,
    Transforms,
)
from tests.unit.dsl.manifest.compiled import flow, steps


def test_interceptors_and_transforms_lie_around_each_other() -> None:
    around = (
        Interceptor("outer", pre="outer-in", post="outer-out"),
        Interceptor("inner", InterceptorScope(id_match="do/a*"), "inner-in", "inner-out"),
        Interceptor("other", InterceptorScope(cells=("start",)), pre="other-in"),
    )
    own = {"a": Transforms(Transform("fit-in"), Transform("fit-out"))}
    made = steps(flow("start > a > end", interceptors=around, transforms=own))
    assert made["a"].before == ("outer-in", "inner-in", "fit-in")
    assert made["a"].after == ("fit-out", "inner-out", "outer-out")
    assert (made["start"].before, made["start"].after) == (("outer-in", "other-in"), ("outer-out",))


def test_what_is_done_on_an_edge_is_a_step() -> None:
    own = {"start": Transforms(outputs={"a": Transform("fit", {"type": "object"})})}
    made = steps(flow("start > a > end, start > default > end", transforms=own))
    assert made["start"].rules[0].then == ("start_a_transform",)
    assert (made["start_a_transform"].handler, made["a"].depends_on) == (
        "fit",
        ("start_a_transform",),
    )


def test_schemas_are_held_to_as_the_manifest_says() -> None:
    cells = {
        "start": Cell(
            "s",
            input_schema={"type": "object"},
            output_schemas={"a": {"type": "object", "required": ["n"]}},
        )
    }
    made = steps(
        flow("start > a > end, start > default > end", cells=cells, validate="warn", coerce=True)
    )
    assert (made["start"].check_schemas, made["start"].coerce) == ("warn", True)
    assert made["start"].rules[0].output_schema == {"type": "object", "required": ["n"]}
