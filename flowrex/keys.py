"""Every Consul key that Flowrex reads or writes, in one place.

The application, the deployer and the agent meet at these keys; docs/reference/consul-keys.md
describes each, and a test fails where one is missing there.
"""

from __future__ import annotations

ROOT = "flowrex/"

EMERGENCY = "flowrex/emergency"
MAINTENANCE = "flowrex/maintenance"
LOCKS = "flowrex/locks/"
RELEASES = "flowrex/releases/"


def deploy_lock(environment: str) -> str:
    """Return the key that a deployment of `environment` holds while it changes anything."""
    return f"{LOCKS}deploy/{environment}"


def release(environment: str, release_id: str) -> str:
    """Return the key of one release's record."""
    return f"{releases(environment)}{release_id}"


def releases(environment: str) -> str:
    """Return the prefix under which `environment` keeps its release records."""
    return f"{RELEASES}{environment}/"
