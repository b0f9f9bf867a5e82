"""The handlers of modules that the command line names."""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.runtime.handlers import HandlerRegistry


def handlers_of(modules: Sequence[str]) -> HandlerRegistry:
    """Return the handlers in modules, and those that installed packages bring.

    Args:
        modules: Their dotted names, from the working directory on.

    Raises:
        ConfigurationError: One cannot be imported, or two handlers have one name.
    """
    return HandlerRegistry.collect(map(_module, modules))


def _module(name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        # As Python itself does for `python -m`.
        sys.path.insert(0, folder)
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigurationError(f'The module "{name}" cannot be imported: {error}.') from error
    except Exception as error:
        reason = f"it raised {type(error).__name__}: {error}".rstrip(": ")
        raise ConfigurationError(f'The module "{name}" cannot be imported: {reason}.') from error
