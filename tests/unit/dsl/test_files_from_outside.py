"""Files that are no ordinary files: each is read as far as it goes, or refused in a sentence."""

import os
import threading
from pathlib import Path

import pytest

from dagster_pgflow.dsl.document import read_flow_file
from dagster_pgflow.dsl.reading.files import MOST_BYTES, text_of_file
from dagster_pgflow.dsl.reading.unreadable import Unreadable
from dagster_pgflow.errors import ConfigurationError


def test_a_file_is_never_read_beyond_what_a_reader_takes(tmp_path: Path) -> None:
    with (tmp_path / "huge.yaml").open("wb") as file:
        file.truncate(10**13)
    [problem] = read_flow_file(tmp_path / "huge.yaml").problems
    assert problem.message == f"The file holds more than {MOST_BYTES:,} bytes; write less."


def test_a_device_without_end_is_no_trouble() -> None:
    with pytest.raises(Unreadable, match="The file holds more than 1,000 bytes; write less"):
        text_of_file(Path("/dev/zero"), 1000)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "flows.yaml"
    folder.mkdir()
    with pytest.raises(ConfigurationError, match=r"flows\.yaml cannot be read: Is a directory"):
        read_flow_file(folder)


def test_a_pipe_that_nobody_writes_to_is_empty(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    [problem] = read_flow_file(tmp_path / "pipe.json").problems
    assert problem.message == "This is not JSON: Expecting value."


def test_a_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    text = "x" * 200_000
    writer = threading.Thread(target=_write_and_close, args=[writing, text])
    writer.start()
    try:
        assert text_of_file(Path(f"/dev/fd/{reading}")) == text
    finally:
        os.close(reading)
        writer.join()


def _write_and_close(descriptor: int, text: str) -> None:
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def test_a_mark_at_the_beginning_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"slug": "a"}')
    assert [flow.slug for flow in read_flow_file(tmp_path / "a.json").flows] == ["a"]


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_flow_file(Path("a\x00b.yaml"))
    with pytest.raises(ConfigurationError, match="cannot be read: File name too long"):
        read_flow_file(Path("a" * 100_000 + ".yaml"))
