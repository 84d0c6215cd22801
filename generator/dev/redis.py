"""Redis, with snapshots and the append-only file both, and users in place of one password."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from hashlib import sha256

from flowrex.errors import ConfigurationError
from flowrex.files import write_atomic
from flowrex.secret import Secret
from generator.dev import secrets
from generator.dev.layout import HOST, Layout
from generator.dev.process import Command

NAME = "redis"
PROBE = "flowrex-probe"
SNAPSHOT = "flowrex-snapshot"
# What those who are no application may.
# All that the exporter asks for; not CONFIG, which has passwords in it.
_MONITORS = "+ping +info +client|setname +slowlog|get +slowlog|len +latency|latest"
RIGHTS = f"{PROBE} +ping +info; {SNAPSHOT} +ping +sync; monitor {_MONITORS}"

_SETTINGS = """\
# Written by `flowrexctl dev up`; changes are lost.
bind 127.0.0.1
port {port}
dir .
aclfile {users}
save 900 1 300 10 60 10000
appendonly yes
appendfsync everysec
aof-use-rdb-preamble yes
maxclients 1000
"""


def settings(layout: Layout) -> str:
    """Return redis.conf."""
    return _SETTINGS.format(port=layout.redis, users=layout.config(NAME, "acl"))


def users(
    application: tuple[str, Secret],
    probe: Secret,
    snapshot: Secret,
    monitor: tuple[str, Secret] | None = None,
) -> str:
    """Return the ACL file: nobody without a name, the application, this tool's probe, snapshots.

    Args:
        application: the application's user name and password.
        probe: the password of the user that only asks whether Redis answers.
        snapshot: the password of the user that acts as a replica, and nothing else.
        monitor: the user name and password of the job redis-exporter, where it runs.
    """
    name, password = application
    watches = f"user {monitor[0]} on #{_digest(monitor[1])} {_MONITORS}\n" if monitor else ""
    return (
        "user default off\n"
        f"user {name} on #{_digest(password)} ~* &* +@all -@admin -@dangerous +info\n"
        f"user {PROBE} on #{_digest(probe)} +ping +info\n"
        f"user {SNAPSHOT} on #{_digest(snapshot)} +ping +sync\n{watches}"
    )


def program() -> str:
    """Return the path of redis-server.

    Raises:
        ConfigurationError: it is not installed.
    """
    if found := shutil.which("redis-server"):
        return found
    raise ConfigurationError(
        "redis-server is not installed", hint="apt-get install redis-server, or your system's."
    )


def version() -> str:
    """Return Redis's version."""
    text = subprocess.run(
        [program(), "--version"], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"v=(\S+)", text)
    return found[1] if found else "?"


def command(layout: Layout) -> Command:
    """Return how Redis is started."""
    return Command(NAME, (program(), str(layout.config(NAME, "conf"))), cwd=layout.data(NAME))


def prepare(
    layout: Layout, application: tuple[str, Secret], monitor: tuple[str, Secret] | None
) -> None:
    """Write Redis's settings and users; see `users`."""
    probe = secrets.password(layout.secret("redis-probe"))
    layout.data(NAME).mkdir(parents=True, exist_ok=True)
    snapshot = secrets.password(layout.secret("redis-snapshot"))
    text = users(application, probe, snapshot, monitor)
    write_atomic(layout.config(NAME, "acl"), text, mode=0o600)
    write_atomic(layout.config(NAME, "conf"), settings(layout), mode=0o600)


def problem(layout: Layout) -> str | None:
    """Return why Redis is not ready, or None where it is."""
    password = secrets.read(layout.secret("redis-probe"))
    login = f"AUTH {PROBE} {password.reveal()}\r\n" if password else ""
    try:
        with socket.create_connection((HOST, layout.redis), timeout=3) as connection:
            connection.sendall(f"{login}PING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < (2 if login else 1):
                if not (more := connection.recv(4096)):
                    return "it closes the connection"
                answer += more
    except OSError as error:
        return f"it does not answer: {error}"
    last = answer.decode(errors="replace").strip().splitlines()[-1]
    return None if last == "+PONG" else f"it answers {last!r}"


def _digest(password: Secret) -> str:
    return sha256(password.reveal().encode()).hexdigest()
