from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from dagster_pgflow.dsl.manifest import fragments
from dagster_pgflow.dsl.manifest.manifest import ErrorGroup, Join
from dagster_pgflow.dsl.manifest.sources import Sources
from tests.unit.dsl.manifest.reads import of_file, read, sound

FRAGMENT: dict[str, Any] = {
    "entry": "check",
    "exits": ["in", "out"],
    "cells": {"check": "auth/check", "load": {"id": "auth/load", "on-error": "_exit/out"}},
    "edges": {
        "check": {"known": {"to": "load", "max-passes": 3}, "default": "_exit/out"},
        "load": "_exit/in",
    },
    "dispatches": {"check": [["known", "data.known"]]},
}
HOST: dict[str, Any] = {
    "fragments": {
        "auth": {"fragment": FRAGMENT, "as": "start", "exits": {"in": "show", "out": "error"}}
    },
    "cells": {"show": "ui/show"},
    "edges": {"show": "end"},
}


def host(**changes: Any) -> dict[str, Any]:
    """Return a host; each change is laid over what its fragment says, or over the host."""
    whole = deepcopy(HOST)
    whole["fragments"]["auth"]["fragment"] |= changes.pop("inside", {})
    whole["fragments"]["auth"] |= changes.pop("use", {})
    return whole | changes


def test_its_cells_become_those_of_the_host() -> None:
    manifest = sound(host())
    assert [*manifest.cells] == ["show", "start", "load"]
    assert manifest.cells["load"].on_error == "error"
    assert manifest.edges == {
        "show": {"": "end"},
        "start": {"known": "load", "default": "error"},
        "load": {"": "show"},
    }
    assert manifest.max_passes_of == {("start", "known"): 3}
    assert [dispatch.label for dispatch in manifest.dispatches["start"]] == ["known", "default"]


def test_it_may_be_a_file_and_then_every_cell_has_its_own_schemas() -> None:
    manifest = of_file("dashboard.edn")
    assert manifest.edges["fetch-profile"] == {"found": "render", "default": "show-error"}
    assert manifest.cells["validate-session"].on_error == "show-error"
    assert set(manifest.cells["start"].output_schemas) == {"success", "failure"}


def test_one_can_stand_twice_in_a_host() -> None:
    again = {"fragment": FRAGMENT, "exits": {"in": "end", "out": "halt"}}
    manifest = sound(host(fragments={**HOST["fragments"], "again": {**again, "as": "second"}}))
    assert [*manifest.cells] == ["show", "start", "load", "second", "again-load"]
    assert manifest.edges["second"] == {"known": "again-load", "default": "halt"}
    assert manifest.edges["again-load"] == {"": "end"}
    assert manifest.cells["again-load"].on_error == "halt"
    without_as = sound(host(fragments={**HOST["fragments"], "again": again}))
    assert [*without_as.cells] == ["show", "start", "load", "check", "again-load"]


@pytest.mark.parametrize("name", ["load", "Load?", "error"])
def test_a_name_that_is_taken_gets_the_name_of_the_fragment(name: str) -> None:
    inside = deepcopy(FRAGMENT)
    inside["cells"] |= {name: "do/it"}
    inside["edges"] |= {name: "_exit/in"}
    manifest = sound(host(inside=inside, cells={"show": "ui/show", name: "b"}, joins={}))
    assert manifest.cells[f"auth-{name}"].id in ("do/it", "auth/load")


def test_the_exit_of_one_leads_to_another() -> None:
    more = {"fragment": FRAGMENT, "as": "more", "exits": {"in": "show", "out": "load"}}
    manifest = sound(
        host(fragments={"more": more}, use={})
        | {
            "fragments": {
                "auth": {**HOST["fragments"]["auth"], "exits": {"in": "more", "out": "end"}},
                "more": more,
            }
        }
    )
    assert manifest.edges["load"] == {"": "more"}
    assert manifest.edges["more"] == {"known": "more-load", "default": "load"}


def test_whatever_names_its_cells_goes_along() -> None:
    inside = {
        "cells": {"check": "a", "load": "b", "x": "c", "y": "d", "help": "e"},
        "joins": {"both": {"cells": ["x", "y"]}},
        "edges": {"check": "both", "both": {"done": "load"}, "load": "_exit/in", "help": "end"},
        "dispatches": {},
        "error-groups": {"all": {"cells": ["load", "check"], "on-error": "help"}},
        "timeouts": {"x": 5000},
        "resilience": {"y": {"timeout": 7000}},
        "transforms": {"check": {"input": {"fn": "f"}}},
    }
    manifest = sound(host(inside=inside, cells={"show": "s", "x": "t", "both": "u", "help": "v"}))
    assert manifest.joins == {"auth-both": Join(("auth-x", "y"))}
    assert manifest.edges["start"] == {"": "auth-both"}
    assert manifest.error_groups == {"auth-all": ErrorGroup(("load", "start"), "auth-help")}
    assert manifest.timeouts == {"auth-x": 5000}
    assert [*manifest.resilience] == ["y"]
    assert [*manifest.transforms] == ["start"]


def test_fragments_lie_in_each_other() -> None:
    outer = {
        "entry": "begin",
        "exits": ["fine", "bad"],
        "cells": {"begin": "a", "load": "b"},
        "edges": {"begin": "check", "load": "_exit/fine"},
        "fragments": {"auth": {"fragment": FRAGMENT, "exits": {"in": "load", "out": "_exit/bad"}}},
    }
    use = {"fragment": outer, "as": "start", "exits": {"fine": "show", "bad": "error"}}
    manifest = sound(host(fragments={"outer": use}))
    assert manifest.edges == {
        "show": {"": "end"},
        "start": {"": "check"},
        "load": {"": "show"},
        "check": {"known": "auth-load", "default": "error"},
        "auth-load": {"": "load"},
    }
    assert manifest.cells["auth-load"].on_error == "error"


WRONG: list[tuple[dict[str, Any], str]] = [
    (host(use={"ref": "a.edn"}), 'fragments.auth: A fragment is a file in "ref", or stands in'),
    (host(use={"fragment": None, "ref": None}), "fragments.auth.ref: This should be a text"),
    (host(use={"fragment": "a"}), "fragments.auth.fragment: This should be a fragment, an object"),
    (host(use={"asx": "b"}), 'fragments.auth.asx: There is no such field here; "as" may be meant.'),
    (host(use={"as": "show"}), 'fragments.auth.as: "show" is the name of a cell or terminal'),
    (host(use={"exits": {"in": "show"}}), 'auth.exits.out: Exit "out" of fragment "auth" is not'),
    (host(use={"exits": {"in": "a", "out": "b", "x": "c"}}), 'exits.x: Fragment "auth" has no'),
    (host(inside={"entry": "chek"}), 'fragments.auth: The entry of fragment "auth" is "chek"'),
    (host(inside={"exits": []}), "fragments.auth.fragment.exits: This needs 1 or more"),
    (host(inside={"interceptors": []}), "fragments.auth.fragment.interceptors: There is no such"),
    (
        host(inside={"edges": {"check": "show", "load": "_exit/nowhere"}}),
        'Fragment "auth" leads to "show", which is no cell of it; what lies outside is an exit,',
    ),
    (
        host(inside={"edges": {"check": "show", "load": "_exit/nowhere"}}),
        'Fragment "auth" declares no exit "nowhere"; it has in, out.',
    ),
    (host(inside={"cells": {"check": 5}}), "cells.start: This should be the id of what does"),
    (host(fragments=[]), "fragments: This should be an object"),
    (host(use={"fragment": {}}), 'fragments.auth.fragment.entry: A fragment needs "entry"; add it'),
]


@pytest.mark.parametrize(("document", "problem"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_with_one_is_told(document: dict[str, Any], problem: str) -> None:
    _, problems = read(document)
    assert any(problem in found for found in problems), problems


def test_all_mistakes_are_told_at_once() -> None:
    inside = {"entry": "no", "edges": {"check": "_exit/no", "load": "away"}}
    _, problems = read(host(inside=inside, use={"exits": {"in": "a", "no": "b"}}))
    assert [found.rsplit("[", 1)[1] for found in problems] == [
        "unwired-exit]",
        "undeclared-exit]",
        "missing-entry]",
        "undeclared-exit]",
        "unknown-target]",
    ]


def test_a_mistake_in_a_file_is_told_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "part.edn").write_text(
        "{:entry :a :exits [:x]\n :cells {:a {:idd :b}}\n :edges {:a :_exit/x}}"
    )
    text = '{:fragments {:f {:ref "part.edn" :as :start :exits {:x :end}}} :cells {}}'
    _, problems = read(text, sources=Sources(tmp_path))
    assert problems[0].startswith("cells.start.idd (line 2, column 14 of part.edn): There is no")


def test_files_that_hold_each_other_are_refused(tmp_path: Path) -> None:
    part = '{:entry :a :exits [:x] :cells {:a :a} :fragments {:b {:ref "%s" :exits {:x :end}}}}'
    (tmp_path / "a.edn").write_text(part % "b.edn")
    (tmp_path / "b.edn").write_text(part % "a.edn")
    text = '{:fragments {:f {:ref "a.edn" :exits {:x :end}}} :cells {}}'
    _, problems = read(text, sources=Sources(tmp_path))
    assert any("a.edn -> b.edn -> a.edn" in found for found in problems)


def test_files_that_name_each_other_twice_do_not_grow_without_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fragments, "MOST_CELLS", 300)
    for level in range(30):
        uses = " ".join(
            f':{name} {{:ref "{level + 1}.edn" :exits {{:x :end}}}}' for name in ("a", "b")
        )
        text = f"{{:entry :c :exits [:x] :cells {{:c :c}} :fragments {{{uses}}}}}"
        (tmp_path / f"{level}.edn").write_text(text)
    (tmp_path / "30.edn").write_text("{:entry :c :exits [:x] :cells {:c :c}}")
    text = '{:fragments {:f {:ref "0.edn" :exits {:x :end}}} :cells {}}'
    _, problems = read(text, sources=Sources(tmp_path))
    assert [found for found in problems if "come to more than 300 cells" in found] == problems


def test_a_fragment_alone_is_no_manifest() -> None:
    _, problems = read(FRAGMENT)
    assert problems == [
        "$: This is a fragment; load a manifest that takes it in with `fragments`. [fragment-alone]"
    ]
