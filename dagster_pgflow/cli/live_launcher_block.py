"""Writes into a `dagster.yaml` that runs of flows go to live workers.

The file is somebody's own: what stands in it stays as it is, comments included. So the block is
text at its end, and only where reading the result gives what was there, and the block.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from dagster_pgflow.errors import ConfigurationError

KEY: Final = "run_launcher"
MODULE: Final = "dagster_pgflow.live_launcher"
CLASS: Final = "LiveRunLauncher"
_WORDS: Final = {"module": MODULE, "class": CLASS}
_BLOCK: Final = f"""
# Runs of flows go to a live worker, where one is there; all others as before.
{KEY}:
  module: {MODULE}
  class: {CLASS}
"""


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        path: The file.
        backup: What it was before; `None` where there was no file.
    """

    path: Path
    backup: Path | None


def write_live_launcher(home: Path) -> Written | None:
    """Name the launcher in the `dagster.yaml` of a folder; `None` when it is named already.

    Args:
        home: The folder.

    Raises:
        ConfigurationError: It cannot be done, or another run launcher is named; nothing was
            written.
    """
    # The link stays one.
    path = (home / "dagster.yaml").resolve()
    try:
        text = path.read_bytes().decode() if path.exists() else None
        wanted = with_live_launcher(text or "", path)
        if wanted is None:
            return None
        backup = None if text is None else _free_name(path)
        if backup is not None:
            shutil.copy2(path, backup)
        _replace(path, wanted)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be changed: {error}.") from error
    return Written(path, backup)


def with_live_launcher(text: str, path: Path) -> str | None:
    """Return the text of a `dagster.yaml` with the launcher; `None` when it is in it already.

    Args:
        text: The text.
        path: Where it stands, for errors.

    Raises:
        ConfigurationError: Another run launcher is named, or the file is written in a way that
            nothing can be added to.
    """
    said = _read(text, path)
    if KEY in said:
        _refuse_unless_ours(said[KEY], path)
        return None
    ending = "\r\n" if "\r\n" in text else "\n"
    block = _BLOCK if text else _BLOCK.lstrip("\n")
    start = text if not text or text.endswith("\n") else text + ending
    wanted = start + block.replace("\n", ending)
    try:
        is_right = yaml.safe_load(wanted) == {**said, KEY: _WORDS}
    except yaml.YAMLError:
        is_right = False
    if not is_right:
        raise ConfigurationError(
            f"{path} is written in a way that nothing can be added at its end. Add this by hand:"
            f" {KEY}: {{module: {MODULE}, class: {CLASS}}}."
        )
    return wanted


def _read(text: str, path: Path) -> dict[str, Any]:
    try:
        said = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{path} is no YAML, so nothing is written: {reason}") from error
    if not isinstance(said, dict):
        raise ConfigurationError(f"{path} is no mapping, so nothing is written into it.")
    return said


def _refuse_unless_ours(launcher: Any, path: Path) -> None:
    if isinstance(launcher, dict) and (launcher.get("module"), launcher.get("class")) == (
        MODULE,
        CLASS,
    ):
        return
    words = launcher if isinstance(launcher, dict) else {}
    raise ConfigurationError(
        f"{path} names a run launcher already, and nothing was written. Put it below ours:"
        f" {KEY}: {{module: {MODULE}, class: {CLASS}, config: {{launcher: {{module:"
        f" {words.get('module', '...')}, class: {words.get('class', '...')}, config: (as it stands"
        " now)}}}}."
    )


def _free_name(path: Path) -> Path:
    number = 1
    while (found := path.with_name(f"{path.name}.before-{number}")).exists():
        number += 1
    return found


def _replace(path: Path, text: str) -> None:
    """Write a file in one step: whoever reads it finds the old or the new one."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, new)
        else:
            new.chmod(0o644)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
