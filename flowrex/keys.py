"""Every Consul key that Flowrex reads or writes, in one place.

The application, the deployer and the agent meet at these keys; docs/reference/consul-keys.md
describes each, and a test fails where one is missing there.
"""

from __future__ import annotations

EMERGENCY = "flowrex/emergency"
MAINTENANCE = "flowrex/maintenance"
LOCKS = "flowrex/locks/"
RELEASES = "flowrex/releases/"

# What docs/reference/consul-keys.md says of each.
DESCRIPTIONS = {
    EMERGENCY: "The kill switch. Absent or `off` is normal, `on` stops new risk. Instances of the "
    "backend may read it.",
    MAINTENANCE: "`on` or `off`. nginx may read it.",
    f"{LOCKS}deploy/<env>": "Held by a session while a verb changes `<env>`; its value tells who "
    "holds it, from where, since when and for what.",
    f"{RELEASES}<env>/<id>": "One release's record: who, when, which job versions, and how it "
    "ended.",
}


def deploy_lock(environment: str) -> str:
    """Return the key that a deployment of `environment` holds while it changes anything."""
    return f"{LOCKS}deploy/{environment}"


def release(environment: str, release_id: str) -> str:
    """Return the key of one release's record."""
    return f"{releases(environment)}{release_id}"


def releases(environment: str) -> str:
    """Return the prefix under which `environment` keeps its release records."""
    return f"{RELEASES}{environment}/"
