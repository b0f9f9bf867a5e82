"""Which files of a code location are looked at, and when they count as changed."""

import os
from pathlib import Path

import pytest

from dagster_pgflow.live import changed_files
from dagster_pgflow.live.changed_files import ChangedFiles
from dagster_pgflow.live.imported_files import files_of_import, why_import_failed
from dagster_pgflow.live.messages import Born, StrangeMessage, from_bytes, to_bytes


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> ChangedFiles:
    monkeypatch.setattr(changed_files, "EVERY_S", 0.0)
    return ChangedFiles()


def test_a_change_counts_once_and_only_when_the_file_rests(
    watched: ChangedFiles, tmp_path: Path
) -> None:
    file = tmp_path / "defs.py"
    file.write_text("one")
    watched.watch([str(file)])
    assert not watched.has_changed()
    file.write_text("one and two")
    assert not watched.has_changed()
    file.write_text("one and two and three")
    assert not watched.has_changed()
    assert watched.has_changed()
    assert not watched.has_changed()


def test_a_file_that_is_replaced_or_goes_or_comes_has_changed(
    watched: ChangedFiles, tmp_path: Path
) -> None:
    file, other = tmp_path / "defs.py", tmp_path / "defs.py.new"
    file.write_text("one")
    watched.watch([str(file)])
    other.write_text("two")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    for change in (lambda: other.replace(file), file.unlink, file.touch):
        change()
        assert [watched.has_changed() for _ in range(3)].count(True) == 1


def wrapped(file: Path) -> None:
    try:
        exec(compile(file.read_text(), str(file), "exec"), {})  # noqa: S102  our own
    except NameError as error:
        raise RuntimeError("wrapped by a library") from error


def test_files_of_packages_are_left_out_and_those_on_the_way_to_an_error_are_there(
    tmp_path: Path,
) -> None:
    file = tmp_path / "broken.py"
    file.write_text("def deep():\n    return missing\n\ndeep()\n")
    with pytest.raises(RuntimeError) as raised:
        wrapped(file)
    found = files_of_import(raised.value)
    assert str(file) in found
    assert __file__ in found
    assert not [name for name in found if "site-packages" in name or "/dagster_pgflow/" in name]
    said = why_import_failed(raised.value)
    assert said.startswith("NameError: name 'missing' is not defined")
    assert f'File "{file}", line 2, in deep' in said


def test_a_file_that_is_no_python_is_looked_at_too(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    with pytest.raises(SyntaxError) as raised:
        compile("oops(", str(file), "exec")
    assert str(file) in files_of_import(raised.value)


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b'["Born"]', b'["Born", {"x": 1}]', b"{}"])
def test_what_no_process_of_this_version_says_is_told_apart(data: bytes) -> None:
    with pytest.raises(StrangeMessage):
        from_bytes(data)
    assert from_bytes(to_bytes(Born(1))) == Born(1)
