"""What to try after the demo has shown what it has."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from dagster_pgflow.settings import DATA_DIR_VARIABLE, DATABASE_URL_VARIABLE, configured_url

TEXT = """
Three things to try next:

1. Look at it: {url}/locations/pgflow@pgflow/jobs/order
   A double click on "payment" opens the subflow; its runs are a click away.

2. Measure documents of your own, from another terminal; the report goes beside that folder:
{export}   {program} start measure_docs --input '{{"folder": "/path/to/docs"}}' --wait

3. Make a flow in SQL and run it. Nothing is restarted; some seconds later it is a job too:
   {program} sql "
     select pgflow.create_flow('mine');
     select pgflow.add_step('mine', 'numbers', handler => 'ai_workflow.fetch');
     select pgflow.add_step('mine', 'doubled', array['numbers'], step_type => 'map',
                            handler => 'ai_workflow.process');
     select run_id from pgflow.start_flow('mine', '{{\\"count\\": 5}}')"

Ctrl-C ends PostgreSQL and Dagster."""


def next_steps(url: str, own_folder: Path | None = None) -> str:
    """Return the text.

    Args:
        url: Where the web UI is.
        own_folder: The data folder, when the demo chose it and the environment does not name it.
    """
    export = f"   export {DATA_DIR_VARIABLE}={shlex.quote(str(own_folder))}\n" if own_folder else ""
    return TEXT.format(url=url, program=_program(), export=export)


def _program() -> str:
    """Return how to call this program from here, on the database of the demo."""
    own = Path(sys.argv[0]).absolute()
    found = shutil.which(own.name)
    is_on_path = found is not None and Path(found).absolute() == own
    name = own.name if is_on_path else os.path.relpath(own)
    return f"{DATABASE_URL_VARIABLE}= {name}" if configured_url() is not None else name
