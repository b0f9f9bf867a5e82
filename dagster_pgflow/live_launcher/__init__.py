"""A run launcher that hands runs to live workers, and to another launcher what is not for them.

A `dagster.yaml` can name it, around the launcher that it named before:

    run_launcher:
      module: dagster_pgflow.live_launcher
      class: LiveRunLauncher
      config:
        launcher: {module: dagster_docker, class: DockerRunLauncher, config: {...}}

**Why.** A live worker starts at once what `start_flow` asks for. What is started from the
launchpad, by a schedule or by somebody's sensor is a run of Dagster already, and goes to the run
launcher.

**What holds.** A run is offered to the live workers of its code location and taken back where none
takes it within moments: one statement each, so two never have it. No trouble with the store fails
a run; it goes the ordinary way, and its log says why.
"""

from dagster_pgflow.live_launcher.launcher import LiveRunLauncher

__all__ = ["LiveRunLauncher"]
