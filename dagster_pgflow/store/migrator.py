"""Brings the schema of a database to the version of this code.

All pending migrations are one transaction under one lock: of several migrators at the same time
one works, the others wait and then find nothing to do.
"""

from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.store.schema_version import Migration, applied_migrations, packaged_migrations

ROLE_PREFIX = "pgflow"
"""What the names of the roles begin with, unless somebody says otherwise."""


def migrate(database: Database) -> tuple[Migration, ...]:
    """Apply what is pending and return it, oldest first; nothing when all is there.

    Raises:
        SchemaDiffers: The database was migrated by other migrations.
        SchemaTooNew: It was migrated by a newer version of this package, which this one cannot
            live with.
        StoreRefused: The database has a schema `pgflow` that is not ours.
        StoreError: PostgreSQL cannot be reached or says no; nothing was changed.
    """
    with database.unchecked_transaction() as transaction:
        transaction.fetch_value("lock_migrations")
        missing = _pending(transaction, database)
        for migration in missing:
            transaction.run_script(migration.sql)
            transaction.execute(
                "record_migration",
                version=migration.version,
                name=migration.name,
                checksum=migration.checksum,
                old_code_works=migration.old_code_works,
            )
    return missing


def make_roles(database: Database, prefix: str) -> tuple[str, ...]:
    """Make the roles of the schema, or bring their rights up to date, and return their names.

    Args:
        database: A store with its schema.
        prefix: What their names begin with; they are shared by all databases of the server.

    Raises:
        StoreRefused: The prefix cannot begin the name of a role.
        StoreAccessDenied: The user may make no roles.
    """
    with database.transaction() as transaction:
        transaction.fetch_value("lock_migrations")
        return tuple(row["role_name"] for row in transaction.fetch_all("make_roles", prefix=prefix))


def pending(database: Database) -> tuple[Migration, ...]:
    """Return the migrations that the database lacks, oldest first.

    Raises:
        SchemaDiffers: The database was migrated by other migrations.
        SchemaTooNew: It was migrated by a newer version of this package, which this one cannot
            live with.
        StoreRefused: The database has a schema `pgflow` that is not ours.
    """
    with database.unchecked_transaction() as transaction:
        return _pending(transaction, database)


def print_sql(
    migrations: tuple[Migration, ...] | None = None, *, role_prefix: str | None = None
) -> str:
    """Return what `migrate` would run as one script for psql, for people who apply it themselves.

    Args:
        migrations: Those to print, such as what `pending` returned; all without.
        role_prefix: What the names of the roles begin with; without it, none are made.
    """
    chosen = packaged_migrations() if migrations is None else migrations
    blocks = [
        f"-- {migration.version}: {migration.name}\n"
        f"{migration.sql.strip()}\n\n"
        "insert into pgflow.migrations (version, name, checksum, old_code_works)\n"
        f"values ({migration.version}, '{migration.name}', '{migration.checksum}',"
        f" {str(migration.old_code_works).lower()});\n"
        for migration in chosen
    ]
    lock = "select pg_advisory_xact_lock(hashtextextended('pgflow.migrations', 0));\n"
    if role_prefix is not None:
        quoted = role_prefix.replace("'", "''")
        blocks.append(f"select pgflow.make_roles('{quoted}');\n")
    return "\n".join(["begin;\n", lock, *blocks, "commit;\n"])


def _pending(transaction: Transaction, database: Database) -> tuple[Migration, ...]:
    applied = applied_migrations(transaction, database.address)
    if not applied and transaction.fetch_value("fetch_foreign_objects"):
        raise StoreRefused(
            f"The database {database.address.shown} has a schema pgflow that dagster_pgflow did"
            " not make; use another database."
        )
    newest = applied[-1].version if applied else 0
    return tuple(migration for migration in packaged_migrations() if migration.version > newest)
