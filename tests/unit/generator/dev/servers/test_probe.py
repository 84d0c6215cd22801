"""What a binary says it is, and what its linker wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.dev.servers import CATALOG, PLUGIN
from generator.dev.servers.probe import build_information, lacks_plugin, version_of
from tests.unit.generator.dev.servers.machine import Box, program

VAULT = CATALOG["vault"]


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("name", "answer", "version"),
    [
        ("nomad", "Nomad v1.11.2", "1.11.2"),
        ("nomad", "Nomad v1.11.2-beta.1", "1.11.2-beta.1"),
        ("consul", "Consul v1.19.2\nRevision 048f1936", "1.19.2"),
        ("vault", "Vault v1.18.0 (abc), built 2024-10-08T09:12:52Z", "1.18.0"),
        ("vault", "Vault v1.18.0+ent (abc)", "1.18.0+ent"),
        ("versitygw", "Version  : v1.8.0\nBuild    : abc", "1.8.0"),
    ],
)
def test_the_version_is_read_from_the_answer(
    tmp_path: Path, name: str, answer: str, version: str
) -> None:
    path = script(tmp_path / name, f"echo '{answer}'")

    assert version_of(path, CATALOG[name]) == version


def test_an_answer_on_standard_error_counts(tmp_path: Path) -> None:
    path = script(tmp_path / "consul-template", "echo 'consul-template v0.41.1 ()' >&2")

    assert version_of(path, CATALOG["consul-template"]) == "0.41.1"


def test_what_gives_no_version_is_known_by_its_build_information(box: Box) -> None:
    plugin = box.put_on_path(CATALOG[PLUGIN])

    assert version_of(plugin, CATALOG[PLUGIN]) == "1.18.0"


def test_a_program_of_another_module_is_no_plugin(box: Box) -> None:
    nomad = box.put_on_path(CATALOG["nomad"])

    assert version_of(nomad, CATALOG[PLUGIN]) is None


@pytest.mark.parametrize("tags", ["minimal", "ui,minimal"])
def test_a_minimal_vault_lacks_its_plugin(tmp_path: Path, tags: str | None) -> None:
    path = tmp_path / "vault"
    path.write_bytes(program(VAULT, tags=tags))

    assert lacks_plugin(path)


@pytest.mark.parametrize("tags", [None, "ui", "minimalistic"])
def test_a_full_vault_does_not(tmp_path: Path, tags: str | None) -> None:
    path = tmp_path / "vault"
    path.write_bytes(program(VAULT, tags=tags))

    assert not lacks_plugin(path)


@pytest.mark.parametrize(
    "content", [b"", b"no magic", b"\xff Go buildinf:", b"\xff Go buildinf:\x08\x02"]
)
def test_a_file_without_build_information_has_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    assert build_information(path) == ""


def test_a_mention_of_the_magic_is_not_taken_for_the_information(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    path.write_bytes(b"\xff Go buildinf:\x08\x00" + bytes(40) + program(VAULT, tags="minimal"))

    assert lacks_plugin(path)
