"""The means of the hard stops, on real files and real TLS."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from flowrex.errors import ConfigurationError, HardStop, ServerUnreachable
from generator.preflight import edges
from tests.unit.generator.pages import serving
from tests.unit.generator.preflight.world import NOW


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

    def test_outside_git_nothing_is_known(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="is no git repository"):
            edges.secrets(tmp_path)


class TestCertificate:
    def issued(self, folder: Path, name: str = "localhost") -> tuple[Path, ssl.SSLContext]:
        """Make an authority's own certificate, and return its file and a server's context."""
        from datetime import UTC, datetime, timedelta

        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=40))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        file, private = folder / "ca.pem", folder / "key.pem"
        file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file, private)
        return file, context

    def test_one_of_a_known_authority_is_returned(self, tmp_path: Path) -> None:
        authority, context = self.issued(tmp_path)
        with serving(context) as port:
            found = edges.certificate("localhost", port, ca_file=str(authority))
        assert found.subject == "localhost"
        assert found.expires > NOW

    def test_one_that_signed_itself_is_refused(self, tmp_path: Path) -> None:
        _, context = self.issued(tmp_path)
        with serving(context) as port, pytest.raises(HardStop, match="self-signed"):
            edges.certificate("localhost", port)

    def test_one_of_another_name_is_refused(self, tmp_path: Path) -> None:
        authority, context = self.issued(tmp_path, "elsewhere")
        with serving(context) as port, pytest.raises(HardStop, match="Hostname mismatch"):
            edges.certificate("localhost", port, ca_file=str(authority))

    def test_what_speaks_no_tls_is_out_of_reach(self) -> None:
        with serving() as port, pytest.raises(ServerUnreachable, match="does not answer by TLS"):
            edges.certificate("127.0.0.1", port)
