"""Which files an import has read that somebody may edit, and where in them it failed."""

import site
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

from dagster_pgflow.errors import PgflowError


def files_of_import(error: BaseException | None = None) -> tuple[str, ...]:
    """Return the files of the modules of this process, those of packages that were installed not.

    Args:
        error: What the import raised; then the files on the way to it are among them.
    """
    modules = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    found = {name for name in modules if name}
    if error is not None:
        found |= set(_files_on_the_way(error))
    installed = _installed()
    own = (Path(name).absolute() for name in found if name.endswith(".py"))
    return tuple(sorted(str(path) for path in own if not _is_below(path, installed)))


def why_import_failed(error: BaseException) -> str:
    """Return what an import raised and where, in the words of what was raised first."""
    if isinstance(error, PgflowError):
        return str(error)
    first = _first(error)
    said = "".join(traceback.format_exception_only(first)).strip()
    installed = _installed()
    frames = [
        frame
        for frame in traceback.extract_tb(first.__traceback__)
        if frame.filename.endswith(".py")
        and not _is_below(Path(frame.filename).absolute(), installed)
    ]
    where = "".join(traceback.format_list(frames[-3:])).rstrip()
    return f"{said}\n{where}" if where else said


def _first(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _files_on_the_way(error: BaseException) -> Iterator[str]:
    first = _first(error)
    if isinstance(first, SyntaxError) and first.filename:
        yield first.filename
    for frame in traceback.extract_tb(first.__traceback__):
        yield frame.filename


def _installed() -> tuple[Path, ...]:
    names = {"stdlib", "platstdlib", "purelib", "platlib"}
    paths = [path for name, path in sysconfig.get_paths().items() if name in names]
    ours = Path(__file__).parents[1]
    return (ours, *map(Path, [*paths, *site.getsitepackages(), site.getusersitepackages()]))


def _is_below(path: Path, folders: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
