"""What the processes of a live worker are started with; free of Dagster, as the supervisor is."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

Role = Literal["template", "child", "rows"]


@dataclass(frozen=True)
class LocationTarget:
    """Which code location to serve, as the command line says it.

    Nothing at all means the workspace of the working directory.

    Attributes:
        python_files: Files of code locations.
        modules: Modules of code locations.
        workspaces: Workspace files.
        attribute: The name in the file or module.
        working_directory: Where modules are looked for.
        location_name: What Dagster calls the code location, if it is another name than it chooses.
    """

    python_files: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    workspaces: tuple[str, ...] = ()
    attribute: str | None = None
    working_directory: str | None = None
    location_name: str | None = None

    def shown(self, index: int) -> str:
        """Return what to call a code location whose true name only its import will tell.

        Args:
            index: Which of those that are named.
        """
        named = (*self.python_files, *self.modules)
        if self.location_name is not None or not named:
            return self.location_name or f"code location {index + 1}"
        return named[index] if index < len(named) else f"code location {index + 1}"


@dataclass(frozen=True)
class Orders:
    """What a process of a live worker is started with.

    Attributes:
        target: The code locations.
        index: Which of them.
        concurrency: How many children there shall be.
        worker_id: The live worker.
        work: The descriptor at which children are woken.
        told: The descriptor at which the rows process is told what begins and ends.
        control: The descriptor at which the template is told things.
        report: The descriptor at which all of them tell the supervisor.
        role: What the process is.
    """

    target: LocationTarget
    index: int
    concurrency: int
    worker_id: str
    work: int
    told: int
    control: int
    report: int
    role: Role = "template"

    def as_argument(self) -> str:
        """Return the orders as an argument of a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def of_argument(cls, argument: str) -> "Orders":
        """Return the orders that an argument says."""
        fields: dict[str, Any] = json.loads(argument)
        target: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fields.pop("target").items()
        }
        return cls(target=LocationTarget(**target), **fields)
