"""pgBackRest's configuration and command lines: texts only, nothing is run here.

The agent drives pgBackRest, and PostgreSQL's own `archive_command` calls it as another user. Both
read one file, whose content is `configuration`. The passphrase and the S3 key are in that file and
never in an argument, which every user of the machine may read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from flowrex.errors import ConfigurationError
from flowrex.secret import Secret

PROGRAM = "pgbackrest"
DEFAULT_PREFIX = "/physical"
# PostgreSQL's role that pgBackRest logs in as.
ROLE = "flowrex_physical"
# The database that it logs in to. Not the platform's: a restore puts another in that one's place,
# without the rights on functions, which are a database's own and which only an administrator gives.
LOGIN_DATABASE = "postgres"
# The exit status where another pgBackRest is at work with the stanza, or its lock is not ours.
LOCKED = 50
BackupType = Literal["full", "diff", "incr"]

# An object of that many bytes or less is put with others into one; S3 asks a price for each.
_BUNDLE_LIMIT = "2MiB"


@dataclass(frozen=True)
class Repository:
    """Where backups and WAL are kept: a prefix of an S3 bucket, encrypted before it leaves.

    Attributes:
        endpoint: the store's address; https only, for pgBackRest speaks nothing else.
        region: the region that requests are signed for.
        bucket: the bucket.
        prefix: the path inside it, with a slash at its beginning.
        access_key: the public half of the key that reads, writes and deletes there.
        secret_key: its secret half.
        passphrase: encrypts everything; without it the repository is noise.
        ca_file: the certificate authority that signed the store's certificate, where the system
            does not know it.
        retention_days: days for which every moment stays restorable.
    """

    endpoint: str
    region: str
    bucket: str
    prefix: str
    access_key: Secret
    secret_key: Secret
    passphrase: Secret
    ca_file: Path | None = None
    retention_days: int = 30


@dataclass(frozen=True)
class Stanza:
    """One PostgreSQL cluster, as pgBackRest calls it.

    Attributes:
        name: the stanza's name, also a folder in the repository.
        data: the cluster's data folder.
        port: its port.
        user: the role that the agent logs in as; `archive-push` does not log in.
        lock_dir: a folder that the agent and PostgreSQL's user may write.
        processes: how many processes compress and send at once.
        io_timeout_s: seconds for which a connection, or an answer, is waited for.
        socket: the folder of its socket; None where the environment (PGHOST) says how to connect.
    """

    name: str
    data: Path
    port: int
    user: str
    lock_dir: Path
    processes: int = 2
    io_timeout_s: int = 30
    socket: Path | None = None


def configuration(stanza: Stanza, repository: Repository) -> Secret:
    """Return pgbackrest.conf; it holds the passphrase and the S3 key.

    `archive-push-queue-max` is not set and never will be: beyond it pgBackRest drops WAL and tells
    PostgreSQL that all is well. Without it a full disk stops PostgreSQL, which is seen.

    Raises:
        ConfigurationError: the endpoint is not https, or a value can't stand in the file.
    """
    address = urlsplit(repository.endpoint)
    if address.scheme != "https" or not address.hostname:
        raise ConfigurationError(
            f"the S3 endpoint of physical backups is {repository.endpoint!r}; expected https://…",
            hint="pgBackRest speaks TLS only. Give the store a certificate, and name its CA.",
        )
    shared: dict[str, str] = {
        "repo1-type": "s3",
        "repo1-path": repository.prefix,
        "repo1-s3-endpoint": address.hostname,
        "repo1-s3-bucket": repository.bucket,
        "repo1-s3-region": repository.region,
        "repo1-s3-uri-style": "path",
        "repo1-s3-key": repository.access_key.reveal(),
        "repo1-s3-key-secret": repository.secret_key.reveal(),
        "repo1-storage-port": str(address.port or 443),
        "repo1-storage-verify-tls": "y",
        "repo1-cipher-type": "aes-256-cbc",
        "repo1-cipher-pass": repository.passphrase.reveal(),
        "repo1-bundle": "y",
        "repo1-bundle-limit": _BUNDLE_LIMIT,
        "repo1-retention-full-type": "time",
        "repo1-retention-full": str(repository.retention_days),
        "compress-type": "zst",
        "compress-level": "3",
        "process-max": str(stanza.processes),
        # One push a segment, answered when the segment is in the bucket: what PostgreSQL is told is
        # true without a spool folder that would have to survive a crash as well.
        "archive-async": "n",
        "start-fast": "y",
        "lock-path": str(stanza.lock_dir),
        "io-timeout": str(stanza.io_timeout_s),
        "log-level-file": "off",
        "log-level-console": "off",
        "log-level-stderr": "warn",
        "log-timestamp": "n",
    }
    if repository.ca_file is not None:
        shared["repo1-storage-ca-file"] = str(repository.ca_file)
    own: dict[str, str] = {
        "pg1-path": str(stanza.data),
        "pg1-port": str(stanza.port),
        "pg1-database": LOGIN_DATABASE,
        "pg1-user": stanza.user,
    }
    if stanza.socket is not None:
        own["pg1-socket-path"] = str(stanza.socket)
    sections = (("global", shared), (stanza.name, own))
    lines = ["# Written by Flowrex; changes are lost."]
    for name, options in sections:
        lines += ["", f"[{name}]", *(_line(option, value) for option, value in options.items())]
    return Secret("\n".join(lines) + "\n")


def archive_command(config: Path, stanza: str) -> str:
    """Return what PostgreSQL's `archive_command` has to be.

    Args:
        config: pgbackrest.conf, readable for PostgreSQL's user.
        stanza: the stanza.
    """
    return " ".join((*_base(config, stanza), "archive-push", "%p"))


def stanza_create(config: Path, stanza: str) -> list[str]:
    """Return the command that makes the stanza; where it is there it is only compared."""
    return [*_base(config, stanza), "stanza-create"]


def check(config: Path, stanza: str, *, timeout_s: int) -> list[str]:
    """Return the command that sends one segment all the way and looks for it in the archive.

    Args:
        config: pgbackrest.conf.
        stanza: the stanza.
        timeout_s: seconds in which the segment must arrive.
    """
    return [*_base(config, stanza), f"--archive-timeout={timeout_s}", "check"]


def backup(
    config: Path, stanza: str, kind: BackupType, *, annotations: Mapping[str, str] | None = None
) -> list[str]:
    """Return the command that takes a backup.

    It expires nothing: what may go is decided by the agent, which looks at the clock first.

    Args:
        config: pgbackrest.conf.
        stanza: the stanza.
        kind: `full`, `diff` (since the last full) or `incr` (since the last of any kind).
        annotations: what `info` shows of it, by name.
    """
    notes = [f"--annotation={name}={value}" for name, value in (annotations or {}).items()]
    return [*_base(config, stanza), f"--type={kind}", "--no-expire-auto", *notes, "backup"]


def annotate(config: Path, stanza: str, label: str, name: str, value: str) -> list[str]:
    """Return the command that notes something at a backup; an empty value takes the note away."""
    return [*_base(config, stanza), f"--set={label}", f"--annotation={name}={value}", "annotate"]


def expire(config: Path, stanza: str, *, dry_run: bool) -> list[str]:
    """Return the command that deletes what is past its retention, and the WAL before it."""
    dry = ["--dry-run"] if dry_run else []
    return [*_base(config, stanza), "--log-level-console=info", *dry, "expire"]


def info(config: Path, stanza: str, *, label: str | None = None) -> list[str]:
    """Return the command that describes the repository as JSON.

    Args:
        config: pgbackrest.conf.
        stanza: the stanza.
        label: one backup only, in more detail.
    """
    one = [] if label is None else [f"--set={label}"]
    return [*_base(config, stanza), "--output=json", *one, "info"]


def verify(config: Path, stanza: str) -> list[str]:
    """Return the command that reads every byte of the repository and compares checksums."""
    return [*_base(config, stanza), "--output=text", "--verbose", "verify"]


def _base(config: Path, stanza: str) -> list[str]:
    return [PROGRAM, f"--config={config}", f"--stanza={stanza}"]


def _line(option: str, value: str) -> str:
    if not value or value != value.strip() or not value.isprintable():
        raise ConfigurationError(
            f"the value of pgBackRest's {option} is empty, or has spaces around it or a line break",
            hint="Correct the setting or the secret that it comes from.",
        )
    return f"{option}={value}"
