"""PostgreSQL without an installation: real servers from a wheel, started when nobody names one.

It stands at the bottom of the house, beside `errors` and `names`: whoever needs a URL asks
`dagster_pgflow.settings`, which asks here. The rules that a user may rely on:

**One folder, one server.** The data folder holds the cluster, its log and three lock files.
Any number of processes use it at once (a web server, a daemon, a code server, run workers):
the first starts PostgreSQL, the others join. The next start reuses what is there. A folder
whose PostgreSQL major version the wheel still carries is run by that version.

**Who stops it.** Every process that called `start` holds a shared lock on the file `users`
until it calls `stop` or ends in any way, SIGKILL included: the kernel lets go for it. A small
keeper process, detached from all terminals, watches that lock. Whoever calls `stop` last stops
the server at once; otherwise the keeper stops it half a minute after the last user is gone,
unless somebody is still connected, such as a person in `psql`. Nothing is left running, and a
burst of short commands does not start the server over and over. If the keeper is killed, the
server goes on and the next `start` gives it a new keeper; if the server is killed, the next
`start` recovers it, as PostgreSQL does.

**Who can reach it.** There is no TCP port unless a user asks for one (`network`), so no question
of a free one and no password to keep: PostgreSQL listens on one Unix socket inside the cluster
folder, which only the account that owns it (and root) can enter. Where that path is too long for a
socket, a folder of mode 0700 in `/tmp` takes its place.

**As root.** PostgreSQL refuses to run as root, so it then runs as the owner of the data folder.
Where that is root, it runs under a user id that nothing else has (65533, or one of those below), so
that no other account can reach it, `nobody` included. Folders above that are closed to it get an
entry in their access control list that lets it, and nobody else, pass through but not look around.
A folder of an earlier version, whose server ran as `nobody`, changes hands at its next start.

Linux and macOS; elsewhere, name a server in `PGFLOW_DATABASE_URL`.
"""

from dagster_pgflow.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
