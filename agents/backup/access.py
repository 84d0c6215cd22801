"""Which PostgreSQL server, as whom, and by which of its programs."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flowrex.errors import ConfigurationError
from flowrex.secret import Secret

_DEBIAN = Path("/usr/lib/postgresql")
_NO_FILE = "/nonexistent"


@dataclass(frozen=True)
class Server:
    """One PostgreSQL server, by host name, address or socket folder, and port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Server:
        """Read `host:port`.

        Raises:
            ConfigurationError: it is none.
        """
        host, _, port = text.rpartition(":")
        if not host or not port.isdigit():
            raise ConfigurationError(
                f"backup.postgres.servers has {text!r}; expected host:port, as 10.0.0.5:5432"
            )
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Access:
    """As whom, how and by which programs servers are reached.

    Attributes:
        user: the login.
        passfile: libpq's password file; None where none is asked for.
        sslmode: as libpq has it.
        ca_file: certificates that the server's is checked by.
        bin_dir: where the programs are; None: looked for.
        session_options: `-c name=value` for each session, as PGOPTIONS has them.
    """

    user: str
    passfile: Path | None = None
    sslmode: str = "prefer"
    ca_file: str | None = None
    bin_dir: str | None = None
    session_options: str = ""

    def program(self, name: str) -> str:
        """Return a program's path.

        Raises:
            ConfigurationError: it is not there.
        """
        for folder in self._folders():
            if (path := folder / name).is_file():
                return str(path)
        found = None if self.bin_dir else shutil.which(name)
        if found is None:
            raise ConfigurationError(
                f"PostgreSQL's {name} is not to be found",
                hint="Install postgresql-client (and postgresql for drills), or name its folder "
                "in backup.postgres.bin_dir.",
            )
        return found

    def environ(self, server: Server, database: str) -> dict[str, str]:
        """Return the whole environment of a program; nothing secret is among it."""
        found = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C.UTF-8",
            "PGHOST": server.host,
            "PGPORT": str(server.port),
            "PGUSER": self.user,
            "PGDATABASE": database,
            "PGSSLMODE": self.sslmode,
            "PGCONNECT_TIMEOUT": "10",
            "PGAPPNAME": "flowrex-agent",
            "PGCLIENTENCODING": "UTF8",
            "PGOPTIONS": self.session_options,
            # Neither a password nor a service of whoever runs this may matter.
            "PGPASSFILE": str(self.passfile or _NO_FILE),
            "PGSERVICEFILE": _NO_FILE,
        }
        if self.ca_file:
            found["PGSSLROOTCERT"] = self.ca_file
        return found

    def _folders(self) -> Iterator[Path]:
        if self.bin_dir:
            yield Path(self.bin_dir)
            return
        if _DEBIAN.is_dir():
            versions = (path for path in _DEBIAN.iterdir() if path.name.isdigit())
            for version in sorted(versions, key=lambda path: -int(path.name)):
                yield version / "bin"


@contextmanager
def password_file(password: Secret, folder: Path) -> Iterator[Path]:
    """Give a file with a password for libpq, for the length of a block.

    Args:
        password: the password.
        folder: where; nobody else may read it.
    """
    escaped = re.sub(r"([\\:])", r"\\\1", password.reveal())
    handle, name = tempfile.mkstemp(prefix=".pgpass-", dir=folder)
    path = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"*:*:*:*:{escaped}\n")
        yield path
    finally:
        path.unlink(missing_ok=True)


def options(values: Mapping[str, str]) -> str:
    """Return settings of a session as PGOPTIONS has them."""
    return " ".join(f"-c {name}={value}" for name, value in values.items())
