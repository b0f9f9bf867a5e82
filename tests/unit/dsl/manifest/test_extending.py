from pathlib import Path
from typing import Any

import pytest

from dagster_pgflow.dsl.manifest.sources import Sources
from tests.unit.dsl.manifest.reads import read, sound

BASE: dict[str, Any] = {
    "id": "base",
    "doc": "All of it.",
    "cells": {"start": {"id": "a", "doc": "old", "on-error": "b"}, "b": "b"},
    "edges": {"start": "b", "b": "end"},
    "timeouts": {"b": 5},
    "interceptors": [{"id": "log"}],
}


def sources(**files: Any) -> Sources:
    """Return where files are that stand for these objects and texts."""
    return Sources(load=lambda name: files[name])


def test_keys_of_the_child_stand_in_place_of_those_of_the_base() -> None:
    child = {
        "extends": "base",
        "id": "child",
        "cells": {"start": {"id": "c", "on-error": None}, "d": "d"},
        "edges": {"b": "d", "d": "end"},
    }
    manifest = sound(child, sources=sources(base=BASE))
    assert (manifest.id, manifest.doc) == ("child", "All of it.")
    start = manifest.cells["start"]
    assert (start.id, start.doc, start.on_error, start.declares_on_error) == ("c", "", None, True)
    assert [*manifest.cells] == ["start", "b", "d"]
    assert manifest.edges == {"start": {"": "b"}, "b": {"": "d"}, "d": {"": "end"}}


def test_null_takes_a_part_away() -> None:
    child = {
        "extends": "base",
        "doc": None,
        "cells": {"b": None},
        "edges": {"start": "end", "b": None},
        "timeouts": None,
        "interceptors": None,
    }
    manifest = sound(child, sources=sources(base=BASE))
    assert [*manifest.cells] == ["start"]
    assert manifest.edges == {"start": {"": "end"}}
    assert (manifest.doc, manifest.timeouts, manifest.interceptors) == ("", {}, ())


def test_a_base_may_extend_another_and_be_an_object_or_any_text() -> None:
    middle = '{:extends "base" :edges {:b :error}}'
    manifest = sound({"extends": "middle"}, sources=sources(middle=middle, base=BASE))
    assert manifest.edges["b"] == {"": "error"}
    assert sound({"extends": BASE, "id": "x"}).id == "x"


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "extends: There is no a among what was given to read from. [unknown-file]"),
        ({"a": {"extends": "b"}, "b": {"extends": "a"}}, "extend each other: a -> b -> a"),
        ({"a": {"extends": "a"}}, "extend each other: a -> a"),
        ({"a": "["}, "extends: a cannot be read: line 1, column 2: This is not"),
        ({"a": "[]"}, "extends: a holds no object; got []."),
        ({"a": ""}, "extends: a cannot be read: a holds nothing; write one object."),
        ({"a": "{}\n---\n{}"}, "a holds 2 things; write one object."),
        ({"a": {"extends": 5}}, "extends: This should be the file of a manifest; got 5."),
        ({"a": {"x": object()}}, "a is refused: "),
    ],
    ids=range(9),
)
def test_what_cannot_be_extended_is_told(files: dict[str, Any], problem: str) -> None:
    _, problems = read({"extends": "a"}, sources=sources(**files))
    assert any(problem in found for found in problems), problems


def test_files_are_read_below_the_folder_of_the_manifest_only(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "base.yaml").write_text("cells: {start: a}\nedges: {start: end}")
    (tmp_path / "secret.edn").write_text("{:cells {}}")
    (folder / "link.edn").symlink_to(tmp_path / "secret.edn")
    (folder / "inside.yaml").symlink_to(folder / "parts" / "base.yaml")
    (folder / "notes.txt").write_text("{}")
    (folder / "latin.edn").write_bytes(b"{:a \xe9}")
    (folder / "folder.edn").mkdir()
    files = Sources(folder)
    for name in ("parts/base.yaml", "inside.yaml", "./parts/base.yaml"):
        assert [*sound({"extends": name}, sources=files).cells] == ["start"]
    refused = {
        "../secret.edn": "leads out of the folder",
        "parts/../../secret.edn": "leads out of the folder",
        str(tmp_path / "secret.edn"): "leads out of the folder",
        "a\x00.edn": "leads out of the folder",
        "link.edn": "is a link out of the folder",
        "none.edn": "No such file",
        "notes.txt": "its name must end in one of: .edn, .yaml, .yml, .json",
        "latin.edn": "is not UTF-8 text",
        "folder.edn": "Is a directory",
    }
    for name, why in refused.items():
        _, problems = read({"extends": name}, sources=files)
        assert why in problems[0]


def test_a_text_without_a_folder_names_no_files() -> None:
    _, problems = read({"extends": "a.edn"})
    assert "a.edn is a file, and nothing says which folder it is in" in problems[0]
