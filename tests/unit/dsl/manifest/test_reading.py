import json
from typing import Any

import pytest

from dagster_pgflow.dsl.manifest.manifest import (
    Cell,
    Constraint,
    Dispatch,
    ErrorGroup,
    Interceptor,
    InterceptorScope,
    Join,
    Resilience,
    Transform,
    Transforms,
)
from dagster_pgflow.dsl.manifest.reading import is_manifest
from tests.unit.dsl.manifest.reads import MANIFESTS, of_file, read, sound

INT = {"type": "integer"}
N = {"type": "object", "properties": {"n": INT}, "required": ["n"]}


def test_edn_and_yaml_say_the_same() -> None:
    manifest = of_file("payment.edn")
    assert manifest == of_file("payment.yaml")
    assert manifest.id == "payment/process-order"
    assert manifest.edges["start"] == {"valid": "charge", "invalid": "error"}
    assert [dispatch.label for dispatch in manifest.dispatches["charge"]] == ["success", "failure"]
    assert manifest.cells["receipt"] == Cell("payment/generate-receipt")
    assert manifest.cells["start"].declares_on_error
    assert not manifest.cells["charge"].declares_on_error
    assert set(manifest.cells["charge"].output_schemas) == {"success", "failure"}


def test_json_and_a_python_object_say_the_same_as_yaml() -> None:
    yaml = "cells: {start: do/it}\nedges: {start: {done: end}}\ndispatches: {start: [[done, true]]}"
    document = {
        "cells": {"start": "do/it"},
        "edges": {"start": {"done": "end"}},
        "dispatches": {"start": (("done", True),)},
    }
    assert sound(yaml) == sound(json.dumps(document)) == sound(document)


def test_a_cell_says_all_that_it_has() -> None:
    cell = {
        "id": "math/multiply",
        "doc": "Multiplies.",
        "schema": {"input": {"n": "int"}, "output": ["map", ["n", "int"]]},
        "params": {"factor": 3, "deep": {"a": [None, 1.5]}},
        "requires": ["db", "mail"],
        "on-error": "start",
    }
    manifest = sound({"cells": {"start": cell}, "edges": {"start": "end"}})
    assert manifest.cells["start"] == Cell(
        "math/multiply",
        doc="Multiplies.",
        input_schema=N,
        output_schema=N,
        params={"factor": 3, "deep": {"a": [None, 1.5]}},
        requires=("db", "mail"),
        on_error="start",
        declares_on_error=True,
    )


def test_a_cell_inherits_the_schemas_of_its_handler() -> None:
    manifest = sound("{:cells {:start {:id :a :schema :inherit}} :edges {:start :end}}")
    assert manifest.cells["start"] == Cell("a", inherits=True)


def test_a_pipeline_is_edges_in_a_row() -> None:
    cells = {"start": "a", "b": "b"}
    whole = {"cells": cells, "edges": {"start": "b", "b": "end"}}
    assert sound({"cells": cells, "pipeline": ["start", "b"]}) == sound(whole)
    assert sound({"cells": cells, "pipeline": ["start", "b", "end"]}) == sound(whole)


def test_whatever_else_a_manifest_says_is_read() -> None:
    manifest = sound(
        """
        {:cells {:start :a :b :b :c :c :fees :f :tax :t :err :e}
         :edges {:start {:again {:to :start :max-passes 7} :on :j}
                 :j {:done :b :failure :err} :b :c :c {:done :end :timeout :err} :err :error}
         :dispatches {:start [[:again (fn [d] (:again d))] [:on (constantly true)]]
                      :c ((:done (constantly true)))}
         :joins {:j {:cells [:fees :tax] :strategy :sequential :merge :add :timeout-ms 5000}}
         :error-groups {:all {:cells [:b] :on-error :err}}
         :timeouts {:c 1000}
         :resilience {:b {:timeout {:timeout-ms 2000} :retry {:max-attempts 4 :base-delay 1}
                          :circuit-breaker {:failure-rate 20 :sliding-window-size 9
                                            :wait-in-open-ms 2000}
                          :bulkhead true :rate-limiter {:limit-for-period 3}}
                      :c {:timeout 7000}}
         :interceptors [{:id :all} {:id :ui :scope {:id-match "ui/*"} :pre :p :post :q}
                        {:id :two :scope {:cells [:b]}}]
         :transforms {:b {:input {:fn :f :schema {:n :int}} :output {:fn :g}}
                      :c {:done {:output {:fn :h}} :timeout {:fn :i}}}
         :constraints [{:type :must-follow :if :b :then :c}
                       {:type :must-precede :cell :b :before :c}
                       {:type :never-together :cells [:b :c]}]
         :invariants [{:type :always-reachable :cell :c}]
         :regions {:one [:start :b]} :max-passes 20 :propagate-keys false
         :validate :warn :coerce true :strict true :$schema "x"}
        """
    )
    assert manifest.edges["start"] == {"again": "start", "on": "j"}
    assert manifest.max_passes_of == {("start", "again"): 7}
    assert manifest.joins == {"j": Join(("fees", "tax"), "sequential", "add", 5000)}
    assert manifest.error_groups == {"all": ErrorGroup(("b",), "err")}
    assert manifest.timeouts == {"c": 1000}
    assert manifest.resilience == {
        "b": Resilience(
            2000,
            {"max_attempts": 4, "base_delay": 1},
            {"failure_rate": 20, "window": 9, "open_seconds": 2},
            {},
            {"calls": 3},
        ),
        "c": Resilience(7000),
    }
    assert manifest.interceptors == (
        Interceptor("all"),
        Interceptor("ui", InterceptorScope("ui/*"), "p", "q"),
        Interceptor("two", InterceptorScope(cells=("b",))),
    )
    assert manifest.transforms == {
        "b": Transforms(Transform("f", N), Transform("g")),
        "c": Transforms(outputs={"done": Transform("h"), "timeout": Transform("i")}),
    }
    assert manifest.constraints == (
        Constraint("must-follow", ("b", "c"), "constraints[0]"),
        Constraint("must-precede", ("b", "c"), "constraints[1]"),
        Constraint("never-together", ("b", "c"), "constraints[2]"),
        Constraint("always-reachable", ("c",), "invariants[0]"),
    )
    settings = (manifest.max_passes, manifest.propagate_keys, manifest.validate, manifest.coerce)
    assert settings == (20, False, "warn", True)
    assert manifest.strict


ALWAYS = Dispatch("default", "true")


@pytest.mark.parametrize(
    ("labels", "declared", "expected"),
    [
        (["a", "default"], [["a", "data.n"]], [Dispatch("a", "data.n"), ALWAYS]),
        (["a", "default"], [["default", True], ["a", "data.n"]], [Dispatch("a", "data.n"), ALWAYS]),
        (["default"], [], [ALWAYS]),
        (["a"], [], []),
    ],
    ids=["left out", "first", "alone", "no default"],
)
def test_default_is_asked_last_without_being_declared(
    labels: list[str], declared: list[Any], expected: list[Dispatch]
) -> None:
    document = {
        "cells": {"start": "a"},
        "edges": {"start": dict.fromkeys(labels, "end")},
        "dispatches": {"start": declared},
    }
    assert sound(document).dispatches.get("start", ()) == tuple(expected)


def test_a_default_with_a_predicate_of_its_own_is_refused() -> None:
    _, problems = read(
        "{:cells {:start :a} :edges {:start {:default :end}}\n"
        " :dispatches {:start [[:default (fn [d] (:n d))]]}}"
    )
    (problem,) = problems
    assert problem.startswith('dispatches.start[0] (line 2, column 23): "default" is taken when')


def test_a_cell_whose_id_is_a_flow_runs_it() -> None:
    document = {
        "cells": {"start": "pay/order", "b": {"flow": "pay/order"}, "c": "pay", "d": {"id": "pay"}},
        "edges": {"start": {"success": "end", "failure": "c", "default": "b"}},
    }
    manifest = sound(document, flows={"pay_order"})
    assert [cell.flow for cell in manifest.cells.values()] == ["pay_order", "pay_order", None, None]
    assert manifest.dispatches["start"] == (Dispatch("success", "true"), ALWAYS)


def test_a_join_has_its_labels_without_declaring_them() -> None:
    manifest = sound(
        {
            "cells": {"start": "a", "b": "b"},
            "joins": {"j": {"cells": ["b"]}},
            "edges": {"start": "j", "j": {"done": "end", "failure": "error"}},
        }
    )
    assert manifest.dispatches == {"j": (Dispatch("done", "true"),)}


def test_what_a_flow_or_a_join_is_asked_in_place_of_its_labels_stays() -> None:
    declared = [["success", "data.ok == true"], ["failure", "data.ok != true"]]
    document = {
        "cells": {"start": {"flow": "pay"}},
        "edges": {"start": {"success": "end", "failure": "error"}},
        "dispatches": {"start": declared},
    }
    manifest = sound(document)
    assert [[one.label, one.predicate] for one in manifest.dispatches["start"]] == declared


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"cells": {}}, True),
        ({"pipeline": []}, True),
        ({"extends": "a.edn"}, True),
        ({"cells": {}, "steps": []}, False),
        ({"cells": {}, "nodes": []}, False),
        ({"slug": "a", "cells": 1}, False),
        ({"edges": []}, False),
        ([], False),
        ("cells", False),
    ],
    ids=range(9),
)
def test_a_manifest_is_known_by_its_shape(document: Any, expected: bool) -> None:
    assert is_manifest(document) is expected


def test_the_files_of_tests_are_manifests() -> None:
    names = [path.name for path in MANIFESTS.iterdir() if path.suffix in (".edn", ".yaml")]
    assert len([of_file(name) for name in names]) == len(names)
