"""What the Python package of a new project is called."""

import re
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import Final

from dagster_pgflow.errors import ConfigurationError

FOLDERS: Final = ("flows", "tests")
"""Of the project, beside its package."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")


def package_name(folder: Path, wanted: str | None = None) -> str:
    """Return the name of the package.

    Args:
        folder: The folder of the project, which it is called after.
        wanted: The name that the user chose instead.

    Raises:
        ConfigurationError: Python could not import a package of that name, or imports another.

    >>> package_name(Path("/home/ada/My shop"))
    'my_shop'
    """
    name = wanted or re.sub(r"[^a-z0-9]+", "_", folder.name.lower()).strip("_")
    reason = _reason_against(name)
    if reason is None:
        return name
    choice = "choose another one" if wanted else "choose one with --name"
    raise ConfigurationError(f'The package cannot be called "{name}": {reason}; {choice}.')


def _reason_against(name: str) -> str | None:
    if not _NAME.fullmatch(name):
        return "a name is made of small letters, digits and _, and begins with a letter"
    if iskeyword(name):
        return "that is a word of Python"
    if name in FOLDERS:
        return "that is another folder of the project"
    spec = find_spec(name)
    if spec is not None and spec.origin is not None:  # else a mere folder, such as the project's
        return "a package of that name is installed, and would be imported in its place"
    return None
