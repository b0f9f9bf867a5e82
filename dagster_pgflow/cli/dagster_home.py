"""The folder of Dagster's settings, for those who need not wait for Dagster's import to know it."""

import os
from pathlib import Path
from typing import Final

from dagster_pgflow.errors import ConfigurationError

HOME_VARIABLE: Final = "DAGSTER_HOME"


def dagster_home() -> Path:
    """Return the folder that DAGSTER_HOME names, whether it is there or not.

    Raises:
        ConfigurationError: DAGSTER_HOME is not set.
    """
    home = os.environ.get(HOME_VARIABLE, "").strip()
    if not home:
        raise ConfigurationError(
            f"{HOME_VARIABLE} is not set; set it to the folder of Dagster's dagster.yaml, as it is"
            " for `dagster dev`."
        )
    return Path(home).expanduser()
