"""Who may do what in Consul: a policy and a role of the same name for each of them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from flowrex import keys

PREFIX = "flowrex-"
_ROOT = "flowrex/"
_NAMESPACE = UUID("9c0e3f43-5d5c-4f0e-8f5e-1f9b1e7c6a52")


@dataclass(frozen=True)
class Grant:
    """What one role may do.

    Attributes:
        name: without the prefix; a job's role is named after the job.
        purpose: who has it, in a sentence.
        rules: HCL.
        token: True where bootstrap makes a token, for what has no workload identity.
    """

    name: str
    purpose: str
    rules: str
    token: bool = False

    @property
    def role(self) -> str:
        """Return the name of the policy and of the role."""
        return PREFIX + self.name

    @property
    def accessor(self) -> str:
        """Return the token's accessor, the same on every run, by which it is found again."""
        return str(uuid5(_NAMESPACE, self.role))


GRANTS = (
    Grant(
        "operator",
        "Deploys: locks, release records, switches; sees health.",
        f"""key_prefix "{_ROOT}" {{ policy = "write" }}
session_prefix "" {{ policy = "write" }}
service_prefix "" {{ policy = "read" }}
node_prefix "" {{ policy = "read" }}
""",
        token=True,
    ),
    Grant(
        "consul-agent",
        "Consul's agents: register their node, see services for anti-entropy.",
        """node_prefix "" { policy = "write" }
service_prefix "" { policy = "read" }
""",
        token=True,
    ),
    Grant(
        "nomad",
        # Services are registered with their own workload identity; the agent's right to write is
        # for its own services and for taking away what a crashed client left behind.
        "Nomad's agents: register themselves, keep their jobs' services in order.",
        """agent_prefix "" { policy = "read" }
node_prefix "" { policy = "read" }
service_prefix "" { policy = "write" }
""",
        token=True,
    ),
    Grant(
        "backend",
        "The job backend: sees the emergency switch.",
        f'key "{keys.EMERGENCY}" {{ policy = "read" }}\n',
    ),
    Grant(
        "nginx",
        "The job nginx: finds the instances behind it, sees the maintenance switch.",
        f"""service_prefix "" {{ policy = "read" }}
node_prefix "" {{ policy = "read" }}
key "{keys.MAINTENANCE}" {{ policy = "read" }}
""",
    ),
)
