"""What every test that runs Dagster in this process begins with."""

import pytest

from dagster_pgflow.compat import DefinitionsLoadContext, DefinitionsLoadType


@pytest.fixture(autouse=True)
def _a_code_server() -> None:
    """Definitions are loaded as in a code server, whatever Dagster did in the test before.

    Dagster executes a run of a repository in process as a run worker does, and leaves it at that.
    """
    DefinitionsLoadContext.set(DefinitionsLoadContext(DefinitionsLoadType.INITIALIZATION))
