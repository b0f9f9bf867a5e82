"""What the steps of a run print, kept in files without a process for each.

A `dagster.yaml` can name it:

    compute_logs:
      module: dagster_pgflow.compute_logs
      class: PlainComputeLogManager
      config: {base_dir: /var/lib/dagster/logs}
"""

from dagster_pgflow.compute_logs.console import silence_console
from dagster_pgflow.compute_logs.exchange import use_plain_compute_logs
from dagster_pgflow.compute_logs.manager import PlainComputeLogManager

__all__ = ["PlainComputeLogManager", "silence_console", "use_plain_compute_logs"]
