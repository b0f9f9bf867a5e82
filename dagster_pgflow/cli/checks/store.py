"""Is the database there, has it the schema, and does anybody serve its requests?"""

from collections.abc import Iterator
from datetime import timedelta

from dagster_pgflow.cli.checks.check import Check, failed, ok, skipped, warning
from dagster_pgflow.cli.console import in_words
from dagster_pgflow.cli.flow_files import counted
from dagster_pgflow.errors import PgflowError
from dagster_pgflow.settings import DATABASE_URL_VARIABLE, configured_url, data_dir
from dagster_pgflow.store.checkup import Checkup
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.schema_version import Migration

SUPPORTED = range(14, 19)
LONG_WAIT_S = 60.0
STALE_S = 60.0


def check_address(database: Database) -> Iterator[Check]:
    """Say which database it is, and whether it answers."""
    if configured_url() is None:
        yield ok("Database", f"the embedded PostgreSQL in {data_dir()}")
    else:
        yield ok("Database", f"{database.address.shown} ({DATABASE_URL_VARIABLE})")
    try:
        server = Checkup(database).server()
    except PgflowError as error:
        yield failed("Server", str(error))
        return
    says = f"PostgreSQL {server.version}, database {server.database}, user {server.user_name}"
    if server.major in SUPPORTED:
        yield ok("Server", says)
    else:
        yield warning("Server", f"{says}; supported are {SUPPORTED[0]} to {SUPPORTED[-1]}.")


def check_schema(database: Database) -> Iterator[Check]:
    """Look at the version of the schema and at the rights of the user."""
    checkup = Checkup(database)
    try:
        missing = checkup.pending_migrations()
    except PgflowError as error:
        yield failed("Schema", str(error))
        return
    if missing:
        yield failed("Schema", _advice(missing))
        return
    yield ok("Schema", "up to date")
    rights = checkup.missing_rights()
    if rights:
        more = f" and {len(rights) - 3} more" if len(rights) > 3 else ""
        yield failed(
            "Rights",
            f"The user does not have {', '.join(rights[:3])}{more}, which a code location needs;"
            " grant the role of a worker (see `dagster-pgflow migrate --roles`).",
        )
    else:
        yield ok("Rights", "all that is needed")


def _advice(missing: tuple[Migration, ...]) -> str:
    if missing[0].version == 1:
        return "There is none; run `dagster-pgflow migrate`."
    goes_on = all(migration.old_code_works for migration in missing)
    when = "while the old version runs" if goes_on else "after the old version has stopped"
    return f"{counted(len(missing), 'migration')} pending; run `dagster-pgflow migrate` {when}."


def check_requests(database: Database) -> Iterator[Check]:
    """Look at what waits for Dagster."""
    requests = Checkup(database).waiting_requests()
    if requests.held:
        held = f"{requests.held} waiting, since their flows have as many runs as may be at once"
        yield ok("Requests", held)
    if requests.oldest_s is None:
        if not requests.held:
            yield ok("Requests", "none waits")
        return
    age = in_words(timedelta(seconds=requests.oldest_s))
    says = f"{requests.waiting - requests.held} waiting, the oldest for {age}"
    if requests.oldest_s < LONG_WAIT_S:
        yield ok("Requests", says)
    elif requests.never_seen:
        yield failed(
            "Requests",
            f"{says}; no sensor has seen {requests.never_seen} of them: start `dagster dev`, turn"
            " on the sensor whose name ends in _requests, or see under *Deployment* in the web UI"
            " whether the code location loads.",
        )
    else:
        yield warning(
            "Requests",
            f"{says}; they were handed to Dagster, whose run queue or run launcher may be stuck.",
        )


def check_projection(database: Database) -> Iterator[Check]:
    """Look at how far the run tables are behind Dagster."""
    lag = Checkup(database).projection_lag()
    if lag.in_trouble:
        yield warning(
            "Run tables",
            f"{lag.in_trouble} runs cannot be read; the reason of one of them: {lag.trouble}",
        )
    elif lag.looked_s is None:
        yield skipped("Run tables", "no sensor has written them yet")
    elif lag.looked_s > STALE_S:
        state = warning if lag.under_way else skipped
        yield state(
            "Run tables",
            f"last updated {in_words(timedelta(seconds=lag.looked_s))} ago; the Dagster daemon is"
            " not running, or the sensor whose name ends in _projection is off.",
        )
    else:
        yield ok("Run tables", f"last updated {in_words(timedelta(seconds=lag.looked_s))} ago")
