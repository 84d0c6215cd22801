"""What checks look at beyond Nomad and Consul: pages, certificates, the project's files."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowrex.errors import ConfigurationError, HardStop, ServerUnreachable
from generator import git
from generator.checks.model import Certificate, Ground
from generator.fetch import fetch, page

if TYPE_CHECKING:
    from flowrex.consul import ConsulClient
    from flowrex.nomad import NomadClient
    from generator.environment import Environment
    from generator.render import RenderedJob

_TIMEOUT_S = 10.0
# By shape only: names and entropy would call every key of a test a secret.
_PLUGINS = (
    "ArtifactoryDetector", "AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector",
    "CloudantDetector", "DiscordBotTokenDetector", "GitHubTokenDetector", "GitLabTokenDetector",
    "JwtTokenDetector", "MailchimpDetector", "NpmDetector", "OpenAIDetector", "PrivateKeyDetector",
    "PypiTokenDetector", "SendGridDetector", "SlackDetector", "SquareOAuthDetector",
    "StripeDetector", "TelegramBotTokenDetector", "TwilioKeyDetector",
)  # fmt: skip
_FILTERS = (
    "detect_secrets.filters.allowlist.is_line_allowlisted",
    "detect_secrets.filters.heuristic.is_templated_secret",
    "detect_secrets.filters.heuristic.is_indirect_reference",
)


def ground(
    environment: Environment,
    root: Path,
    jobs: Sequence[RenderedJob],
    nomad: NomadClient,
    consul: ConsulClient,
    *,
    since: datetime | None = None,
) -> Ground:
    """Return what checks look at, by real means.

    Args:
        environment: the settings.
        root: the project's folder.
        jobs: the job specs that would be submitted.
        nomad: where they run.
        consul: where they are registered.
        since: when what is looked at began.
    """
    return Ground(
        environment=environment,
        root=root,
        jobs=tuple(jobs),
        nomad=nomad,
        consul=consul,
        now=datetime.now(UTC),
        revision=lambda: git.revision(root, (".",)),
        fetch=fetch,
        certificate=certificate,
        secrets=secrets,
        page=page,
        since=since,
    )


def certificate(host: str, port: int, *, ca_file: str | None = None) -> Certificate:
    """Return a server's certificate, after its chain and its name were checked.

    Args:
        host: whose.
        port: where it speaks TLS.
        ca_file: authorities that count instead of the system's.

    Raises:
        HardStop: the certificate is not good; the message says why.
        ServerUnreachable: nobody answers.
    """
    context = ssl.create_default_context(cafile=ca_file)
    try:
        with (
            socket.create_connection((host, port), timeout=_TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            found: dict[str, Any] = dict(secure.getpeercert() or {})
    except ssl.SSLCertVerificationError as error:
        raise HardStop(f"its certificate is not good: {error.verify_message}") from error
    except (ssl.SSLError, OSError) as error:
        raise ServerUnreachable(f"{host}:{port} does not answer by TLS: {error}") from error
    names = [value for kind, value in found.get("subjectAltName", ()) if kind == "DNS"]
    until = ssl.cert_time_to_seconds(str(found["notAfter"]))
    return Certificate(str(names[0]) if names else host, datetime.fromtimestamp(until, UTC))


def secrets(root: Path) -> list[str]:
    """Return a line for each thing in a project's files that has the shape of a secret.

    Args:
        root: the project; git says which files count.

    Raises:
        ConfigurationError: git does not know the project.
    """
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import transient_settings

    files = git.files(root)
    if files is None:
        raise ConfigurationError("is no git repository that can be read", path=root)
    chosen = {
        "plugins_used": [{"name": name} for name in _PLUGINS],
        "filters_used": [{"path": path} for path in _FILTERS],
    }
    with transient_settings(chosen):
        return [
            f"{_printable(name)}:{found.line_number}: {found.type}"
            for name in files
            for found in scan_file(str(root / name))
        ]


def _printable(name: str) -> str:
    return os.fsencode(name).decode(errors="backslashreplace")
