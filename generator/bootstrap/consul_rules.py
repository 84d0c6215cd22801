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
        kept_as: the name of the token's file, where it is not made from the grant's name.
    """

    name: str
    purpose: str
    rules: str
    token: bool = False
    kept_as: str = ""

    @property
    def role(self) -> str:
        """Return the name of the policy and of the role."""
        return PREFIX + self.name

    @property
    def file(self) -> str:
        """Return the name of the token's file, where tokens are kept in files."""
        return self.kept_as or f"consul-{self.name.removeprefix('consul-')}"

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
        "agent",
        "flowrex-agent on each node: tells how it is, does what operators ask, sees the switch.",
        f"""key "{keys.EMERGENCY}" {{ policy = "read" }}
key_prefix "{keys.acknowledgement("agent", "")}" {{ policy = "write" }}
key_prefix "{keys.AGENTS}" {{ policy = "write" }}
key_prefix "{keys.REQUESTS}" {{ policy = "read" }}
key_prefix "{keys.ANSWERS}" {{ policy = "write" }}
key_prefix "{keys.BACKUPS}" {{ policy = "write" }}
key_prefix "{keys.backup_lock("")}" {{ policy = "write" }}
key_prefix "{keys.outbox_lock("")}" {{ policy = "write" }}
key_prefix "{keys.OUTBOX}" {{ policy = "write" }}
session_prefix "" {{ policy = "write" }}
service "flowrex-agent" {{ policy = "write" }}
""",
        token=True,
        # `consul-agent` is the token of Consul's own agents.
        kept_as="consul-flowrex-agent",
    ),
    Grant(
        "backend",
        "The job backend: sees the emergency switch, tells that it has.",
        f"""key "{keys.EMERGENCY}" {{ policy = "read" }}
key_prefix "{keys.ACKNOWLEDGEMENTS}backend/" {{ policy = "write" }}
""",
    ),
    Grant(
        "worker",
        # Sessions belong to Consul's nodes, and a worker may run on any.
        "The job worker: likewise, and takes the lock of the one that acts.",
        f"""key "{keys.EMERGENCY}" {{ policy = "read" }}
key_prefix "{keys.ACKNOWLEDGEMENTS}worker/" {{ policy = "write" }}
key "{keys.flatten_lock()}" {{ policy = "write" }}
session_prefix "" {{ policy = "write" }}
""",
    ),
    Grant(
        "nginx",
        "The job nginx: finds the instances behind it, sees the switches.",
        f"""service_prefix "" {{ policy = "read" }}
node_prefix "" {{ policy = "read" }}
key "{keys.MAINTENANCE}" {{ policy = "read" }}
key "{keys.EMERGENCY}" {{ policy = "read" }}
""",
    ),
    Grant(
        "nginx-exporter",
        "The job nginx-exporter: finds nginx.",
        """service "nginx" { policy = "read" }
node_prefix "" { policy = "read" }
""",
    ),
    Grant(
        "prometheus",
        # An agent's metrics are behind the same right as the rest of what it tells about itself.
        "The job prometheus: finds what it looks at, reads the metrics of Consul itself.",
        """service_prefix "" { policy = "read" }
node_prefix "" { policy = "read" }
agent_prefix "" { policy = "read" }
""",
    ),
)
