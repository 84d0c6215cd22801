"""Credentials are found in files, by the names that systemd gives them as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.credentials.files import Files
from flowrex.errors import ConfigurationError, PermissionRefused


def test_the_environment_comes_before_the_configuration() -> None:
    named = {"FLOWREX_AGENT_CREDENTIALS_DIR": "/a", "CREDENTIALS_DIRECTORY": "/b"}
    assert Files.of(named, "/c").folder == Path("/a")
    assert Files.of({"CREDENTIALS_DIRECTORY": "/b"}, "/c").folder == Path("/b")
    assert Files.of({}, "/c").folder == Path("/c")


def test_a_credential_is_read_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "consul-token").write_text("one\n")
    found = Files(tmp_path).read("consul-token")
    assert found is not None
    assert found.reveal() == "one"


def test_a_credential_of_a_whole_folder_has_systemds_prefix(tmp_path: Path) -> None:
    (tmp_path / "flowrex_consul-token").write_text("one")
    assert Files(tmp_path).path("consul-token") == tmp_path / "flowrex_consul-token"


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_file_is_no_credential(tmp_path: Path, text: str) -> None:
    (tmp_path / "consul-token").write_text(text)
    assert Files(tmp_path).read("consul-token") is None


def test_a_missing_folder_holds_none(tmp_path: Path) -> None:
    assert Files(tmp_path / "none").read("consul-token") is None


def test_an_unreadable_credential_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "consul-token").write_bytes(b"\xff\xfe")
    with pytest.raises(PermissionRefused, match="consul-token: this credential can't be read"):
        Files(tmp_path).read("consul-token")


def test_an_unreadable_credential_is_looked_for_at_the_start(tmp_path: Path) -> None:
    Files(tmp_path).check()
    (tmp_path / "s3-secret-key").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="s3-secret-key: this credential can't be read"):
        Files(tmp_path).check()
