"""The code location of the hosts; a run is executed in the process that claims it."""

from dagster_pgflow import build_repository
from tests.hosts.handlers import HANDLERS, folder

flows = build_repository(handlers=[HANDLERS], spill_to=str(folder() / "spilled"))
