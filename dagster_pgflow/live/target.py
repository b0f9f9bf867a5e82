"""Which code location to serve, named as for `dagster dev`, and what its module says."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.launching.origins import Origins
from dagster_pgflow.live.compat import (
    CodeLocationOrigin,
    DefinitionsLoadContext,
    DefinitionsLoadType,
    GrpcServerCodeLocationOrigin,
    ModuleTarget,
    PythonFileTarget,
    RemoteRepositoryOrigin,
    RepositoryPythonOrigin,
    WorkspaceOpts,
    code_pointer_of,
    enter_loadable_target_origin_load_context,
    get_loadable_targets,
    repository_def_from_target_def,
    workspace_opts_to_load_target,
)
from dagster_pgflow.live.orders import LocationTarget
from dagster_pgflow.location.location import Location
from dagster_pgflow.location.noted import locations_noted


def origins_of(target: LocationTarget) -> Sequence[CodeLocationOrigin]:
    """Return the code locations that a command line names.

    Raises:
        ConfigurationError: There is none, or what is said contradicts itself.
    """
    try:
        return _origins(target)
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(f"No code location was found: {error}") from error


def _origins(target: LocationTarget) -> Sequence[CodeLocationOrigin]:
    folder = target.working_directory or str(Path.cwd())
    name, attribute = target.location_name, target.attribute
    named = (*target.python_files, *target.modules)
    if name is not None and len(named) != 1:
        raise ConfigurationError("--location-name needs one -f or one -m that it names.")
    if name is not None and target.python_files:
        return PythonFileTarget(named[0], attribute, folder, name).create_origins()
    if name is not None:
        return ModuleTarget(named[0], attribute, folder, name).create_origins()
    said = WorkspaceOpts(
        python_file=target.python_files or None,
        module_name=target.modules or None,
        workspace=target.workspaces or None,
        attribute=attribute,
        working_directory=target.working_directory,
    )
    return workspace_opts_to_load_target(said).create_origins()


@dataclass(frozen=True)
class ServedLocation:
    """A code location of ours, imported in this process.

    Attributes:
        location: What its module says.
        name: What Dagster calls it.
        origins: Its repository, as runs name it.
    """

    location: Location
    name: str
    origins: Origins


def import_location(origin: CodeLocationOrigin) -> ServedLocation | None:
    """Import a code location; return `None` when it has no flows of ours.

    Raises:
        ConfigurationError: Its code is not here.
        Exception: Whatever the import of its module raises.
    """
    if isinstance(origin, GrpcServerCodeLocationOrigin):
        raise ConfigurationError(
            f'Code location "{origin.location_name}" is a code server somewhere else. Name its code'
            f" with -f or -m, and add --location-name {origin.location_name}."
        )
    code = origin.loadable_target_origin
    # As a code server does; so a module that asks gets the same answer.
    DefinitionsLoadContext.set(DefinitionsLoadContext(DefinitionsLoadType.INITIALIZATION))
    with locations_noted() as noted, enter_loadable_target_origin_load_context(code):
        targets = get_loadable_targets(
            python_file=code.python_file,
            module_name=code.module_name,
            package_name=code.package_name,
            autoload_defs_module_name=code.autoload_defs_module_name,
            working_directory=code.working_directory,
            attribute=code.attribute,
            resolve_lazy_defs=True,
        )
        names = [_repository_name(one.target_definition) for one in targets]
    if not noted:
        return None
    if len(noted) > 1:
        raise ConfigurationError(
            f'Code location "{origin.location_name}" has flows of {len(noted)} stores; a live'
            " worker serves one. Make a code location of each."
        )
    number = names.index(noted[0].name) if noted[0].name in names else 0
    pinned_by = RepositoryPythonOrigin(
        executable_path=code.executable_path or sys.executable,
        code_pointer=code_pointer_of(code, targets[number]),
        entry_point=[sys.executable, "-m", "dagster"],
    )
    repository = RemoteRepositoryOrigin(origin, names[number])
    return ServedLocation(noted[0], origin.location_name, Origins(repository, pinned_by, None))


def _repository_name(definitions: Any) -> str:
    repository = repository_def_from_target_def(definitions)
    return "" if repository is None else repository.name
