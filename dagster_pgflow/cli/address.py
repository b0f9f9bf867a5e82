"""`dagster-pgflow address`: where the database is, for clients of PostgreSQL."""

import time
from contextlib import suppress
from typing import Any

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import as_json, aside, print_json
from dagster_pgflow.embedded.cluster import SUPERUSER
from dagster_pgflow.embedded.network import HOST, NetworkAddress
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.settings import (
    DATABASE_URL_VARIABLE,
    PORT_VARIABLE,
    configured_url,
    data_dir,
    embedded_port,
    embedded_postgres,
)
from dagster_pgflow.store.address import parse_address

A_WHILE_S = 3600.0

NO_PORT = f"""\
This is a Unix socket. For clients that know none, such as DBeaver, set {PORT_VARIABLE}=5433, or
another port, for the process that starts the server."""


@command_with_examples("address", "address", "address --password", "address --hold")
@click.option("--password", "wants_password", is_flag=True, help="Print the password, alone.")
@click.option("--hold", is_flag=True, help="Keep the server running until Ctrl-C.")
@as_json
def command(*, wants_password: bool, hold: bool, wants_json: bool) -> None:
    """Say where the embedded PostgreSQL is, for psql, DBeaver and other clients.

    It is started if need be. It has a port if PGFLOW_PORT was set for the process that started it:
    on this machine alone, and with a password, which psql finds by itself in the file that the
    address names.
    """
    own = configured_url()
    if own is not None:
        raise ConfigurationError(
            f"{DATABASE_URL_VARIABLE} names {parse_address(own).shown}, a server of yours; there is"
            " no embedded one to reach."
        )
    server = embedded_postgres()
    socket_url = server.start()
    network = server.network_address()
    _refuse_another_port(network)
    if wants_password:
        click.echo(_password(network))
    elif wants_json:
        print_json(_document(socket_url, network))
    else:
        click.echo(socket_url if network is None else network.url())
        if network is None:
            aside(NO_PORT)
    if hold:
        aside("The server runs until Ctrl-C, and then as long as something else uses it.")
        _until_interrupted()


def _refuse_another_port(network: NetworkAddress | None) -> None:
    """See to it that the server has the port that the environment asks for."""
    asked = embedded_port()
    if asked is None or (network is not None and network.port == asked):
        return
    has = "no port" if network is None else f"port {network.port}"
    raise ConfigurationError(
        f"The embedded PostgreSQL in {data_dir()} runs already, with {has}; end what uses it, and"
        f" half a minute later the next start opens port {asked}."
    )


def _password(network: NetworkAddress | None) -> str:
    if network is None:
        raise ConfigurationError(
            f"The embedded PostgreSQL has no port, and so no password; set {PORT_VARIABLE} for the"
            " process that starts it."
        )
    return network.password()


def _document(socket_url: str, network: NetworkAddress | None) -> dict[str, Any]:
    by_port = network and {
        "url": network.url(),
        "host": HOST,
        "port": network.port,
        "user": SUPERUSER,
        "passfile": network.passfile,
    }
    return {"socket_url": socket_url, "network": by_port}


def _until_interrupted() -> None:
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(A_WHILE_S)
