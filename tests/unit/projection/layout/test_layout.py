from dagster_pgflow.model.flow import Flow
from dagster_pgflow.projection.layout.growing_layout import layout_of
from dagster_pgflow.projection.layout.layout import Layout
from tests.unit.projection.seen_runs import Version


def layout(*flows: Flow) -> Layout:
    return layout_of(flows[0].slug, {flow.slug: Version(flow) for flow in flows})


LEAF = Flow("leaf").step("x").step("y", depends_on="x")


def test_subruns_are_numbered_in_pre_order_of_the_topological_order() -> None:
    middle = Flow("middle").subflow("b", "leaf", depends_on="a").subflow("a", "leaf")
    top = Flow("top").subflow("late", "middle", depends_on="early").subflow("early", "middle")
    scopes = layout(top, middle, LEAF).scopes
    assert [(s.run_index, s.path, s.subrun_path, s.subrun_index) for s in scopes.values()] == [
        (0, "", "", 0),
        (1, "early", "1", 1),
        (2, "early.a", "1.1", 1),
        (3, "early.b", "1.2", 2),
        (4, "late", "2", 2),
        (5, "late.a", "2.1", 1),
        (6, "late.b", "2.2", 2),
    ]


def test_steps_know_their_scope_and_dependencies_by_path() -> None:
    top = Flow("top").step("a").subflow("sub", "leaf", depends_on="a")
    steps = layout(top, LEAF).steps
    assert list(steps) == ["a", "sub", "sub.x", "sub.y"]
    assert (steps["sub.y"].scope, steps["sub.y"].deps) == ("sub", ("sub.x",))
    assert steps["sub.y"].flow_slug == "leaf"


def test_dagster_steps_are_found_under_their_mangled_names() -> None:
    top = Flow("top").map("config").subflow("in", "leaf", depends_on="config")
    found = layout(top, LEAF)
    assert found.step_nodes["config_"] == "config"
    assert found.step_nodes["in_.x"] == "in.x"
    assert found.helper_nodes["config__fan_out"] == "config"
    assert found.helper_nodes["in__input"] == "in"


def test_a_step_may_look_like_a_helper() -> None:
    found = layout(Flow("top").map("m").step("m__fan_out"))
    assert found.step_nodes["m__fan_out_"] == "m__fan_out"
    assert found.helper_nodes["m__fan_out"] == "m"
    assert "m__fan_out" not in found.step_nodes


def test_a_flow_that_is_not_sound_has_a_layout_too() -> None:
    circular = Flow("top").step("a", depends_on="b").step("b", depends_on="a").subflow("s", "top")
    assert list(layout(circular).steps) == ["a", "b", "s"]
    assert list(layout(Flow("top").subflow("s", "nowhere")).scopes) == ["", "s"]


def test_the_maps_of_a_pipeline_have_the_batches_of_the_first() -> None:
    flow = (
        Flow("top")
        .map("a", batch_size=7)
        .map("b", depends_on="a", pipelined=True)
        .map("c", depends_on="b", pipelined=True)
        .map("d", depends_on="c")
        .step("e", depends_on="d")
    )
    heads = {path: place.batched_as for path, place in layout(flow).steps.items()}
    slugs = {path: head and head.slug for path, head in heads.items()}
    assert slugs == {"a": "a", "b": "a", "c": "a", "d": "d", "e": None}


def test_a_pipeline_that_leads_nowhere_has_a_layout_too() -> None:
    round_about = Flow("top").map("a", depends_on="b", pipelined=True)
    round_about = round_about.map("b", depends_on="a", pipelined=True)
    for flow in (
        round_about,
        Flow("top").map("a", pipelined=True),
        Flow("top").map("a", depends_on="nowhere", pipelined=True),
        Flow("top").step("x").map("a", depends_on="x", pipelined=True),
    ):
        place = layout(flow).steps["a"]
        assert place.batched_as == place.step


def test_steps_know_how_often_they_are_tried() -> None:
    flow = Flow("top", max_attempts=5).step("a").step("b", max_attempts=0).subflow("s", "leaf")
    steps = layout(flow, LEAF).steps
    told = {path: place.max_attempts for path, place in steps.items()}
    assert told == {"a": 5, "b": 1, "s": 5, "s.x": 3, "s.y": 3}


def test_items_come_behind_all_other_subruns_in_the_order_of_their_lists() -> None:
    item = Flow("item").step("x").subflow("in", "leaf", depends_on="x")
    middle = Flow("middle").subflow("each", "item", over="$input")
    top = Flow("top").subflow("all", "item", over="$input").subflow("s", "middle")
    tree = {flow.slug: Version(flow) for flow in (top, middle, item, LEAF)}
    found = layout_of("top", tree, {"s.each": 1, "all": 2})
    assert [(s.path, s.step, s.map_index, s.subrun_path) for s in found.scopes.values()] == [
        ("", "", None, ""),
        ("s", "s", None, "1"),
        ("s.each[0]", "s.each", 0, "1.1"),
        ("s.each[0].in", "s.each[0].in", None, "1.1.1"),
        ("all[0]", "all", 0, "2"),
        ("all[0].in", "all[0].in", None, "2.1"),
        ("all[1]", "all", 1, "3"),
        ("all[1].in", "all[1].in", None, "3.1"),
    ]
    assert [scope.run_index for scope in found.scopes.values()] == list(range(8))
    assert found.steps["all[1].in.y"].deps == ("all[1].in.x",)
    assert found.steps["all[1].in.y"].within == "all"
    fewer = layout_of("top", tree, {"s.each": 1})
    assert all(found.scopes[path] == scope for path, scope in fewer.scopes.items())


def test_dagster_steps_of_items_are_found_under_padded_keys() -> None:
    item = Flow("item").step("config").map("m").subflow("in", "leaf", depends_on="m", output={})
    top = Flow("top").map("m").subflow("all", "item", over="m", depends_on="m")
    tree = {flow.slug: Version(flow) for flow in (top, item, LEAF)}
    found = layout_of("top", tree, {"all": 12})
    assert found.step_of("all.config_[03]") == "all[3].config"
    assert found.step_of("all.in_.x[11]") == "all[11].in.x"
    assert found.step_of("all.m[00]") == "all[0].m"
    assert found.step_of("m[3]") == "m"
    assert found.step_of("all.config_[12]") is None
    assert found.helped_by("all__fan_out") == found.helped_by("all__output") == "all"
    assert found.helped_by("all.in__output[4]") == "all[4].in"


def test_iterations_are_found_under_the_names_that_their_nodes_once_had() -> None:
    flow = (
        Flow("top")
        .step("draft")
        .loop("refine", back_to="draft", condition="$.more", max_iterations=2, depends_on="draft")
    )
    found = layout(flow)
    assert found.step_of("refine__pass_1.draft") == found.step_of("refine__iteration_1.draft")
    assert found.step_of("refine__iteration_1.draft") is not None
