"""pgBackRest's configuration and command lines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flowrex import pgbackrest
from flowrex.errors import ConfigurationError
from flowrex.secret import Secret

CONFIG = Path("/etc/flowrex/pgbackrest.conf")
REPOSITORY = pgbackrest.Repository(
    endpoint="https://s3.example.com:9000",
    region="eu-central-1",
    bucket="backups",
    prefix="/physical",
    access_key=Secret("key-of-the-store"),
    secret_key=Secret("hidden-half"),
    passphrase=Secret("words-words"),
)
STANZA = pgbackrest.Stanza(
    name="flowrex",
    data=Path("/var/lib/postgresql/15/main"),
    port=5432,
    user="flowrex_physical",
    lock_dir=Path("/run/lock"),
)


def options(text: Secret) -> dict[str, str]:
    lines = [line for line in text.reveal().splitlines() if "=" in line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def test_the_repository_is_encrypted_and_the_store_is_spoken_to_by_tls() -> None:
    written = options(pgbackrest.configuration(STANZA, REPOSITORY))
    assert written["repo1-cipher-type"] == "aes-256-cbc"
    assert written["repo1-cipher-pass"] == "words-words"
    assert written["repo1-storage-verify-tls"] == "y"
    assert (written["repo1-s3-endpoint"], written["repo1-storage-port"]) == (
        "s3.example.com",
        "9000",
    )


def test_wal_is_never_dropped_for_a_full_queue() -> None:
    text = pgbackrest.configuration(STANZA, REPOSITORY).reveal()
    assert "archive-push-queue-max" not in text
    assert "archive-async=n" in text


def test_the_configuration_does_not_print_by_mistake() -> None:
    assert "words" not in f"{pgbackrest.configuration(STANZA, REPOSITORY)!r}"


def test_a_store_without_tls_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="expected https"):
        pgbackrest.configuration(STANZA, replace(REPOSITORY, endpoint="http://127.0.0.1:7070"))


@pytest.mark.parametrize("value", ["", " padded", "two\nlines=y"])
def test_a_secret_that_would_write_other_options_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(ConfigurationError, match="repo1-cipher-pass") as caught:
        pgbackrest.configuration(STANZA, replace(REPOSITORY, passphrase=Secret(value)))
    assert "padded" not in caught.value.as_text()


def test_a_backup_expires_nothing_by_itself() -> None:
    argv = pgbackrest.backup(CONFIG, "flowrex", "diff", annotations={"by": "schedule"})
    assert argv == [
        "pgbackrest",
        "--config=/etc/flowrex/pgbackrest.conf",
        "--stanza=flowrex",
        "--type=diff",
        "--no-expire-auto",
        "--annotation=by=schedule",
        "backup",
    ]


def test_postgresql_is_given_the_same_file() -> None:
    assert pgbackrest.archive_command(CONFIG, "flowrex") == (
        "pgbackrest --config=/etc/flowrex/pgbackrest.conf --stanza=flowrex archive-push %p"
    )


def test_no_command_line_holds_a_secret() -> None:
    lines = [
        pgbackrest.stanza_create(CONFIG, "flowrex"),
        pgbackrest.check(CONFIG, "flowrex", timeout_s=30),
        pgbackrest.info(CONFIG, "flowrex", label="20260301-120000F"),
        pgbackrest.verify(CONFIG, "flowrex"),
        pgbackrest.expire(CONFIG, "flowrex", dry_run=True),
        pgbackrest.annotate(CONFIG, "flowrex", "20260301-120000F", "hold", "audit"),
    ]
    assert all("pass" not in word and "key" not in word for line in lines for word in line)
