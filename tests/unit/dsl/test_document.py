"""Flow files of every kind, sound and broken."""

from pathlib import Path

import pytest

from dagster_pgflow.dsl.document import FlowFile, read_flow_file
from dagster_pgflow.errors import ConfigurationError


def read(folder: Path, name: str, text: str) -> FlowFile:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return read_flow_file(file)


def slugs(file: FlowFile) -> list[str]:
    assert file.problems == ()
    return [flow.slug for flow in file.flows]


def complaints(file: FlowFile) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in file.problems]


def test_json_holds_one_flow_or_a_list(tmp_path: Path) -> None:
    assert slugs(read(tmp_path, "one.json", '{"slug": "a"}')) == ["a"]
    assert slugs(read(tmp_path, "two.json", '[{"slug": "a"}, {"slug": "b"}]')) == ["a", "b"]


def test_yaml_holds_one_flow_a_list_or_several_documents(tmp_path: Path) -> None:
    assert slugs(read(tmp_path, "one.yml", "slug: a")) == ["a"]
    assert slugs(read(tmp_path, "two.yaml", "[{slug: a}, {slug: b}]")) == ["a", "b"]
    assert slugs(read(tmp_path, "three.YAML", "slug: a\n---\nslug: b\n---\n")) == ["a", "b"]


def test_python_gives_the_flows_at_its_top_once_each(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("from dagster_pgflow import Flow\nb = Flow('b')\n")
    text = "from dagster_pgflow import Flow\nfrom neighbour import b\na = Flow('a')\nagain = a\n"
    assert sorted(slugs(read(tmp_path, "flows.py", text))) == ["a", "b"]


def test_all_problems_of_all_entries_are_found(tmp_path: Path) -> None:
    text = '[{"slug": "a", "colour": 1}, {"steps": [{"slug": "s", "type": "loops"}]}, 7]'
    assert complaints(read(tmp_path, "bad.json", text)) == [
        ("unknown-field", "[0].colour"),
        ("missing-field", "[1].slug"),
        ("unknown-step-type", "[1].steps.0"),
        ("not-an-object", "[2]"),
    ]


def test_a_list_in_one_of_several_documents_says_where(tmp_path: Path) -> None:
    file = read(tmp_path, "bad.yaml", "slug: a\n---\n- slug: b\n- 7\n")
    assert complaints(file) == [("not-an-object", "document 2[1]")]


@pytest.mark.parametrize(
    ("name", "text", "place", "sentence"),
    [
        ("a.json", '{"slug": \n "a",}', "line 2", "This is not JSON"),
        (
            "a.json",
            '{"slug": "a", "slug": "b"}',
            "line 1, column 15",
            'The key "slug" appears twice',
        ),
        ("a.json", '{"slug": NaN}', "line 1, column 10", "NaN is not a JSON value"),
        ("a.yaml", "slug: a\nsteps: [\n", "line 3", "This is not YAML"),
        ("a.yaml", "slug: a\nslug: b\n", "line 2", 'The key "slug" appears twice'),
        ("a.yaml", "slug: a\ntags: {1: x}\n", "line 2", "The key 1 is not a text"),
        ("a.yaml", "slug: !!python/object:os.system {}", "line 1", "This YAML has no form in JSON"),
        ("a.py", "def", "line 1", "This is not Python"),
        ("a.py", "x = 1\nx / 0\n", "line 2", "It raised ZeroDivisionError"),
        ("a.py", "raise SystemExit\n", "line 1", "It raised SystemExit"),
        ("a.py", "x = 1\n", "$", "The file has no Flow at its top level"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(
    tmp_path: Path, name: str, text: str, place: str, sentence: str
) -> None:
    [problem] = read(tmp_path, name, text).problems
    assert problem.code == "unreadable-file"
    assert problem.path.startswith(place)
    assert problem.message.startswith(sentence)


@pytest.mark.parametrize("name", ["empty.yaml", "empty.json"])
def test_a_file_without_flows_is_a_problem(tmp_path: Path, name: str) -> None:
    file = read(tmp_path, name, "[]" if name.endswith("json") else "# nothing\n")
    assert complaints(file) == [("no-flows", "$")]


def test_a_yaml_mapping_may_take_over_another_and_change_it(tmp_path: Path) -> None:
    text = """
slug: a
steps:
  - &first {type: single, slug: one, options: {timeout: 5}}
  - {<<: *first, slug: two}
"""
    [flow] = read(tmp_path, "merge.yaml", text).flows
    assert [(step.slug, step.options.timeout) for step in flow.steps] == [("one", 5), ("two", 5)]


def test_a_yaml_date_is_a_text(tmp_path: Path) -> None:
    text = "slug: a\nsteps: [{type: single, slug: s, params: {since: 2026-01-31}}]"
    [flow] = read(tmp_path, "date.yaml", text).flows
    assert flow.to_json()["steps"][0]["params"] == {"since": "2026-01-31"}


def test_what_a_python_file_prints_does_not_mix_with_the_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read(tmp_path, "a.py", "from dagster_pgflow import Flow\nprint('hello')\na = Flow('a')\n")
    assert capsys.readouterr().out == ""


def test_bytes_are_no_flow(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe")
    assert complaints(read_flow_file(tmp_path / "a.json")) == [("unreadable-file", "$")]


def test_a_missing_file_and_another_kind_of_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_flow_file(tmp_path / "none.json")
    with pytest.raises(ConfigurationError, match=r"must end in one of: \.json"):
        read_flow_file(tmp_path / "flow.toml")
