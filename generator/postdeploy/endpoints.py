"""Check `endpoints`: what clients ask answers with 200."""

from __future__ import annotations

from flowrex.errors import ServerUnreachable
from generator.checks.model import Finding, Ground, failed, passed

ENTRY = "nginx"
# What the entry answers to whoever has to come by TLS.
SENT_TO_TLS = 308
OUTSIDE = (
    "This machine is outside of nginx.tls.plain_allow: let its network in, or run this from inside."
)
# What the former deployment asked after each release.
PATHS = ("/health", "/health/live", "/health/ready")
_OK = 200


def look(ground: Ground) -> Finding:
    """Ask every nginx, and the environment's public URLs."""
    entries = ground.consul.services(ENTRY, passing_only=False)
    if not entries:
        return failed(
            "No nginx is registered in Consul",
            hint=f"flowrexctl status {ground.environment.name}",
        )
    urls = [f"http://{one.address}:{one.port}{path}" for one in entries for path in PATHS]
    urls += ground.environment.preflight.public_urls.values()
    wrong: list[str] = []
    seen: list[str] = []
    hint = f"flowrexctl logs {ground.environment.name} {ENTRY}"
    for url in urls:
        try:
            status = ground.page(url).status
        except ServerUnreachable as error:
            wrong.append(error.message)
            continue
        (seen if status == _OK else wrong).append(f"{url} answers {status}")
        hint = OUTSIDE if status == SENT_TO_TLS else hint
    if wrong:
        return failed(
            "What clients ask does not answer",
            *wrong,
            hint=hint,
        )
    return passed(f"{len(seen)} addresses answer 200", *seen)
