"""Where the keys come from, what is written, and what is asked of pgBackRest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.credentials.files import Files
from agents.physical import keys
from agents.physical.keys import Keys
from agents.physical.stanza import Stanza
from agents.settings.load import defaults
from agents.settings.model import Agent
from flowrex.errors import ConfigurationError, PermissionRefused, UsageError
from flowrex.secret import Secret
from tests.unit.agents.physical.repository import FULL, backup, document
from tests.unit.agents.physical.rig import Programs

KEYS = Keys(Secret("words"), Secret("access"), Secret("hidden"))


class Vault:
    """A Vault with these secrets."""

    def __init__(self, **secrets: dict[str, str]) -> None:
        self.secrets = secrets

    def kv_read(self, path: str, *, mount: str) -> dict[str, Secret] | None:
        found = self.secrets.get(path.removeprefix("flowrex/"))
        return {name: Secret(text) for name, text in found.items()} if found else None


AGENTS_OWN = {"s3_access_key": "agents", "s3_secret_key": "agents-hidden"}


@pytest.fixture
def settings(tmp_path: Path) -> Agent:
    whole = defaults()
    return replace(
        whole, physical=replace(whole.physical, config_file=str(tmp_path / "pgbackrest.conf"))
    )


def find(settings: Agent, folder: Path, vault: Vault) -> Keys:
    return keys.find(settings, Files(folder), lambda: vault)  # type: ignore[arg-type,return-value]


def test_the_repositorys_own_key_of_the_store_comes_before_the_agents(
    settings: Agent, tmp_path: Path
) -> None:
    own = {"passphrase": "words", "s3_access_key": "own", "s3_secret_key": "own-hidden"}
    assert find(settings, tmp_path, Vault(physical=own, agent=AGENTS_OWN)).access_key == Secret(
        "own"
    )
    without = Vault(physical={"passphrase": "words"}, agent=AGENTS_OWN)
    assert find(settings, tmp_path, without).access_key == Secret("agents")


def test_a_bare_node_has_files_and_needs_no_vault(settings: Agent, tmp_path: Path) -> None:
    for name in ("physical-passphrase", "s3-access-key", "s3-secret-key"):
        (tmp_path / name).write_text(f"{name}\n")
    bare = replace(settings, vault=replace(settings.vault, enabled=False))
    assert find(bare, tmp_path, Vault()).passphrase == Secret("physical-passphrase")


def test_a_key_that_is_nowhere_is_named_with_its_places(settings: Agent, tmp_path: Path) -> None:
    with pytest.raises(PermissionRefused, match=r"passphrase .* kv/flowrex/physical"):
        find(settings, tmp_path, Vault(agent=AGENTS_OWN))


def test_the_configuration_is_for_the_folders_group_and_nobody_else(settings: Agent) -> None:
    stanza = Stanza(settings)
    assert stanza.configure(KEYS)
    assert stanza.config.stat().st_mode & 0o777 == 0o640
    assert not stanza.configure(KEYS), "what is right already is left alone"


def test_who_may_read_the_configuration_stays_as_an_administrator_has_it(settings: Agent) -> None:
    stanza = Stanza(settings)
    stanza.configure(KEYS)
    stanza.config.chmod(0o600)
    assert stanza.configure(replace(KEYS, passphrase=Secret("others")))
    assert stanza.config.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_not_there_is_a_sentence(settings: Agent) -> None:
    away = replace(settings, physical=replace(settings.physical, config_file="/nowhere/x.conf"))
    with pytest.raises(ConfigurationError, match=r"/nowhere/x\.conf: can't be written"):
        Stanza(away).configure(KEYS)


@pytest.mark.parametrize("name", ["", "with space", "it's", "-dash", "x" * 64, "a=b"])
async def test_a_moments_name_can_do_no_harm(settings: Agent, name: str) -> None:
    programs = Programs()
    with pytest.raises(UsageError, match="can't name a moment"):
        await Stanza(settings, runner=programs).mark(name)
    assert programs.ran == []


async def test_a_moment_is_noted_at_the_backup_before_it(settings: Agent) -> None:
    programs = Programs(info=document(backup(FULL, datetime(2026, 3, 1, tzinfo=UTC))))
    await Stanza(settings, runner=programs).mark("before-migration")
    assert programs.ran == ["info", "psql", "annotate"]


async def test_without_a_backup_no_moment_can_be_reached(settings: Agent) -> None:
    with pytest.raises(UsageError, match="no backup yet"):
        await Stanza(settings, runner=Programs()).mark("before-migration")
