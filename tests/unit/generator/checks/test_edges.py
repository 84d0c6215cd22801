"""The means of the hard stops, on real files and real TLS."""

from __future__ import annotations

import os
import ssl
import subprocess
from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError, HardStop, ServerUnreachable
from generator.checks import edges
from tests.serving import certificate
from tests.unit.generator.checks.world import NOW
from tests.unit.generator.pages import pages


class TestSecrets:
    def repository(self, folder: Path, **files: str) -> Path:
        for name, text in files.items():
            (folder / name).write_text(text)
        git = ("git", "-C", str(folder))
        subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "add", "."], check=True)
        return folder

    def test_what_has_the_shape_of_one_is_named_with_its_line(self, tmp_path: Path) -> None:
        key = "AKIA" + "QWERTYUIOPASDFGH"
        root = self.repository(tmp_path, settings=f"# mine\nkey = '{key}'\n", other="quiet\n")
        assert edges.secrets(root) == ["settings:2: AWS Access Key"]

    def test_a_line_may_say_that_it_holds_none(self, tmp_path: Path) -> None:
        key = "AKIA" + "QWERTYUIOPASDFGH"
        text = f"key = '{key}'  # pragma: allowlist secret\n"
        assert edges.secrets(self.repository(tmp_path, settings=text)) == []

    def test_what_git_does_not_keep_is_not_read(self, tmp_path: Path) -> None:
        root = self.repository(tmp_path, settings="quiet\n")
        (root / "later").write_text("key = '" + "AKIA" + "QWERTYUIOPASDFGH'\n")
        assert edges.secrets(root) == []

    def test_a_name_that_is_no_text_is_shown_all_the_same(self, tmp_path: Path) -> None:
        key = "AKIA" + "QWERTYUIOPASDFGH"
        root = self.repository(tmp_path, **{os.fsdecode(b"a\xff"): f"key = '{key}'\n"})
        assert edges.secrets(root) == [r"a\xff:1: AWS Access Key"]

    def test_outside_git_nothing_is_known(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="is no git repository"):
            edges.secrets(tmp_path)


def tls(folder: Path, host: str = "localhost") -> tuple[str, ssl.SSLContext]:
    """Return an authority's file, and the context of a server whose certificate is of it."""
    authority, key = certificate(folder, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, key)
    return str(authority), context


class TestCertificate:
    def test_one_of_a_known_authority_is_returned(self, tmp_path: Path) -> None:
        authority, context = tls(tmp_path)
        with pages(context) as port:
            found = edges.certificate("localhost", port, ca_file=authority)
        assert found.subject == "localhost"
        assert found.expires > NOW

    def test_one_that_signed_itself_is_refused(self, tmp_path: Path) -> None:
        _, context = tls(tmp_path)
        with pages(context) as port, pytest.raises(HardStop, match="self-signed"):
            edges.certificate("localhost", port)

    def test_one_of_another_name_is_refused(self, tmp_path: Path) -> None:
        authority, context = tls(tmp_path, "elsewhere")
        with pages(context) as port, pytest.raises(HardStop, match="Hostname mismatch"):
            edges.certificate("localhost", port, ca_file=authority)

    def test_what_speaks_no_tls_is_out_of_reach(self) -> None:
        with pages() as port, pytest.raises(ServerUnreachable, match="does not answer by TLS"):
            edges.certificate("127.0.0.1", port)
