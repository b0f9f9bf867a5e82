"""prune, on the command line."""

import json

from tests.postgres import Session
from tests.unit.cli.conftest import Cli


def test_old_runs_are_counted_first_and_deleted_when_told_so(cli: Cli, sql: Session) -> None:
    cli("load", "--examples")
    cli("start", "ai_workflow")
    sql("update pgflow.runs set status = 'completed', completed_at = now() - interval '3 days'")
    said = cli("prune", "--older-than", "2", "--dry-run")
    assert (said.exit_code, said.stdout) == (0, "1 run ended more than 2 days ago.\n")
    assert cli("prune", "--older-than", "2", input="n\n").exit_code == 1
    assert sql.value("select count(*) from pgflow.runs") == 1
    said = cli("prune", "--older-than", "2", "--yes", "--json")
    assert json.loads(said.stdout) == {"older_than_days": 2, "found": 1, "deleted": 1}
    assert sql.value("select count(*) from pgflow.runs") == 0
    assert cli("prune", "--older-than", "2").stdout == "0 runs deleted.\n"


def test_less_than_a_day_is_refused_before_anything_is_asked(cli: Cli) -> None:
    result = cli("prune", "--older-than", "0")
    assert result.exit_code == 2
    assert "is not in the range" in result.stderr
