"""Whether a stored flow can be compiled, with all that it contains."""

from dagster_pgflow.compiler.soundness import problems_of
from dagster_pgflow.model.flow import Flow
from tests.calls import calls_of


def found(flow: Flow, *others: Flow) -> list[tuple[str, str]]:
    flows = {known.slug: known for known in (*others, flow)}
    return [(problem.code, problem.path) for problem in problems_of(flow, flows)]


def test_a_sound_flow_has_no_problems() -> None:
    child = Flow("child").step("x")
    assert found(Flow("f").step("a").subflow("s", child), child) == []


def test_a_flow_without_steps_cannot_run() -> None:
    assert found(Flow("f")) == [("no-steps", "steps")]


def test_the_problems_of_a_contained_flow_are_told_under_its_name() -> None:
    leaf = Flow("leaf").step("x", depends_on="ghost")
    child = Flow("child").subflow("l", leaf)
    assert found(Flow("f").subflow("s", child), child, leaf) == [
        ("unknown-dependency", "leaf.steps.x.depends_on")
    ]


def test_the_problems_of_a_flow_that_is_contained_twice_are_told_once() -> None:
    leaf = Flow("leaf")
    one, two = Flow("one").subflow("l", leaf).subflow("t", "two"), Flow("two").subflow("l", leaf)
    top = Flow("f").subflow("a", one).subflow("b", two).subflow("c", leaf)
    assert found(top, one, two, leaf) == [("no-steps", "leaf.steps")]


def test_a_missing_subflow_is_told() -> None:
    assert found(Flow("f").subflow("s", "nowhere")) == [("unknown-subflow", "steps.s.flow")]


def test_flows_that_contain_each_other_are_told_and_searched_once() -> None:
    one, two = Flow("one").subflow("t", "two"), Flow("two").subflow("o", "one")
    codes = {code for code, _ in found(Flow("f").subflow("s", one), one, two)}
    assert codes == {"recursive-subflow"}


def test_a_hundred_layers_are_searched_once_and_refused() -> None:
    layers = [
        Flow(f"layer{n}").subflow("a", f"layer{n + 1}").subflow("b", f"layer{n + 1}")
        for n in range(100)
    ]
    codes: set[str] = set()

    def search() -> None:
        codes.update(code for code, _ in found(layers[0], *layers, Flow("layer100").step("x")))

    # 2 ** 100 ways lead down.
    assert calls_of(search) < 2_000_000
    assert codes == {"too-many-steps", "too-many-levels"}
