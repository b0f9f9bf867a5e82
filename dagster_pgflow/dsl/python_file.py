"""Flows that a Python file builds."""

import runpy
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from dagster_pgflow.dsl.reading.unreadable import Unreadable
from dagster_pgflow.dsl.registering import registering
from dagster_pgflow.model.flow import Flow


def flows_of_python_file(path: Path) -> tuple[Flow, ...]:
    """Run a file; return the flows that it registers and those at its top, imported ones included.

    What it prints goes to standard error, because standard output is for our answer.

    Raises:
        Unreadable: It is no Python, raised an error, or has no flow.
    """
    try:
        with (
            _importing_from(path.parent),
            redirect_stdout(sys.stderr),
            registering() as registered,
        ):
            names: Mapping[str, Any] = runpy.run_path(str(path))
    except SyntaxError as error:
        raise Unreadable(f"line {error.lineno}", f"This is not Python: {error.msg}.") from error
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise Unreadable(_place_of(error, path), f"It raised {reason}.") from error
    named = (value for value in names.values() if isinstance(value, Flow))
    flows = {id(flow): flow for flow in (*registered, *named)}
    if not flows:
        raise Unreadable("$", "The file has no Flow at its top level; give one a name there.")
    return tuple(flows.values())


def _place_of(error: BaseException, path: Path) -> str:
    """Return the last line of the file itself that the error came through."""
    lines: list[int] = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f"line {lines[-1]}" if lines else "$"


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Let the file import its neighbours, as a script can."""
    added = str(folder.absolute())
    sys.path.insert(0, added)
    try:
        yield
    finally:
        sys.path.remove(added)
