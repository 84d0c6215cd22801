"""Stop `certificates`: what is reached over a network has TLS, and its chain holds."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from flowrex.errors import HardStop
from flowrex.loopback import is_loopback
from generator.checks.model import Finding, Ground, failed, passed

_HTTPS = 443


def look(ground: Ground) -> Finding:
    """Connect to every server that the platform is reached by or relies on."""
    least = ground.environment.preflight.certificate_min_days
    wrong: list[str] = []
    seen: list[str] = []
    for url in dict.fromkeys(_addresses(ground)):
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme != "https":
            if is_loopback(host):
                seen.append(f"{url}: this machine's own loopback")
            else:
                wrong.append(f"{url}: no TLS")
            continue
        try:
            found = ground.certificate(host, parts.port or _HTTPS)
        except HardStop as error:
            wrong.append(f"{url}: {error.message}")
            continue
        days = (found.expires - ground.now).days
        line = f"{url}: {found.subject}, until {found.expires:%Y-%m-%d} ({days} days)"
        (seen if days >= least else wrong).append(line)
    if wrong:
        return failed(
            "Not every certificate is good", *wrong,
            hint=f"Each must be of a known authority and valid for {least} days more.",
        )  # fmt: skip
    return passed("Every certificate is good", *seen)


def _addresses(ground: Ground) -> Iterator[str]:
    servers = ground.environment.servers
    yield from (servers.nomad, servers.consul, servers.vault, ground.environment.s3.endpoint)
    yield from ground.environment.preflight.public_urls.values()
