"""Every Consul key that Flowrex reads or writes, in one place.

The application, the deployer and the agent meet at these keys; docs/reference/consul-keys.md
describes each, and a test fails where one is missing there.
"""

from __future__ import annotations

EMERGENCY = "flowrex/emergency"
ACKNOWLEDGEMENTS = "flowrex/emergency-acks/"
MAINTENANCE = "flowrex/maintenance"
LOCKS = "flowrex/locks/"
RELEASES = "flowrex/releases/"
CHANGES = "flowrex/changes/"
RESTORES = "flowrex/restores/"
AGENTS = "flowrex/agents/"
REQUESTS = "flowrex/requests/"
ANSWERS = "flowrex/answers/"
BACKUPS = "flowrex/backups/"
EVIDENCE = "flowrex/evidence/"
OUTBOX = "flowrex/outbox/"

# What docs/reference/consul-keys.md says of each.
DESCRIPTIONS = {
    EMERGENCY: "The kill switch. Absent or `off` is normal, `on` is level `halt`; JSON "
    '`{"level": "halt|cancel|flatten|stop", "reason", "by", "at"}` says more. Anything else counts '
    "as `halt`. That it is absent ends no emergency; `off` does. Instances of the backend and "
    "agents may read it.",
    f"{ACKNOWLEDGEMENTS}<kind>/<name>": "Which state of the kill switch a process (`<kind>` "
    "`backend`, `worker` or `agent`) has taken up, when, and how long after the change.",
    MAINTENANCE: "`on` or `off`. nginx may read it.",
    f"{LOCKS}deploy/<env>": "Held by a session while a verb changes `<env>`; its value tells who "
    "holds it, from where, since when and for what.",
    f"{LOCKS}backup/<database>": "Held by the agent that backs `<database>` up, so that one node "
    "does it at a time.",
    f"{LOCKS}backup/physical/<stanza>": "Held by the agent that takes a physical backup, deletes "
    "old ones, or restores one for a drill.",
    f"{LOCKS}backup/snapshots/<env>/<server>": "Held by the agent that takes a snapshot of "
    "`<server>`, or deletes old ones.",
    f"{LOCKS}audit/<env>": "Held by the agent that writes what operators did into the audit trail.",
    f"{LOCKS}flatten": "Held by the worker that cancels orders and closes positions.",
    f"{RELEASES}<env>/<id>": "One release's record: who, when, why, from which revision and plan, "
    "which job versions, and how it ended; or a restore's, with the schema after it.",
    f"{CHANGES}<env>/<id>": "Who switched the emergency on or off, restored a backup or "
    "took a lock away: the verb, the reason, the person, and how it ended.",
    f"{RESTORES}<env>": "How far a restore is: the jobs that it stopped with their versions, and "
    "the request to the agent; gone once it has ended.",
    f"{AGENTS}<node>": "What the agent of a node last did, how far behind it is, and what fails.",
    f"{REQUESTS}<node>/<id>": "What an operator asks of a node's agent. Only operators may write "
    "it.",
    f"{ANSWERS}<node>/<id>": "What the agent says of a request: how far it is, and how it ended.",
    f"{EVIDENCE}<env>/<kind>/<subject>": "Proof that was made elsewhere, for the deployer's hard "
    "stops: the `tests` of a commit, the known `vulnerabilities` of a lock file. Only operators "
    "may write it.",
    f"{OUTBOX}<env>/<id>": "What an operator did: who, from where, what, how it ended; "
    "gone once an agent has it in the audit trail.",
    f"{BACKUPS}<database>": "The newest verified backup and the last restore drill of a database, "
    "as the deployer's hard stops read them.",
}


def deploy_lock(environment: str) -> str:
    """Return the key that a deployment of `environment` holds while it changes anything."""
    return f"{LOCKS}deploy/{environment}"


def backup_lock(database: str) -> str:
    """Return the key that an agent holds while it backs `database` up."""
    return f"{LOCKS}backup/{database}"


def physical_lock(stanza: str) -> str:
    """Return the key that an agent holds while it works on the physical backups of `stanza`."""
    return f"{LOCKS}backup/physical/{stanza}"


def snapshot_lock(environment: str, kind: str) -> str:
    """Return the key that an agent holds while it takes a snapshot.

    Args:
        environment: whose.
        kind: of which server.
    """
    return f"{LOCKS}backup/snapshots/{environment}/{kind}"


def outbox_lock(environment: str) -> str:
    """Return the key that the agent holds which writes what operators did into the trail."""
    return f"{LOCKS}audit/{environment}"


def outbox(environment: str) -> str:
    """Return the prefix under which what operators did waits for the audit trail."""
    return f"{OUTBOX}{environment}/"


def outbox_entry(environment: str, entry_id: str) -> str:
    """Return the key of one thing that an operator did."""
    return f"{outbox(environment)}{entry_id}"


def flatten_lock() -> str:
    """Return the key that the one worker holds that cancels orders and closes positions."""
    return f"{LOCKS}flatten"


def release(environment: str, release_id: str) -> str:
    """Return the key of one release's record."""
    return f"{releases(environment)}{release_id}"


def releases(environment: str) -> str:
    """Return the prefix under which `environment` keeps its release records."""
    return f"{RELEASES}{environment}/"


def changes(environment: str) -> str:
    """Return the prefix under which `environment` keeps the records of its other changes."""
    return f"{CHANGES}{environment}/"


def change(environment: str, change_id: str) -> str:
    """Return the key of one change's record."""
    return f"{changes(environment)}{change_id}"


def restore(environment: str) -> str:
    """Return the key that tells how far a restore of `environment` is."""
    return f"{RESTORES}{environment}"


def acknowledgement(kind: str, name: str) -> str:
    """Return the key in which a process tells which state of the kill switch it has taken up.

    Args:
        kind: `backend`, `worker` or `agent`.
        name: the process, unique in its kind.
    """
    return f"{ACKNOWLEDGEMENTS}{kind}/{name}"


def agent(node: str) -> str:
    """Return the key under which the agent of `node` publishes its status."""
    return f"{AGENTS}{node}"


def request(node: str, request_id: str) -> str:
    """Return the key of an operator's request to the agent of `node`."""
    return f"{REQUESTS}{node}/{request_id}"


def answer(node: str, request_id: str) -> str:
    """Return the key of the agent's answer to a request."""
    return f"{ANSWERS}{node}/{request_id}"


def backups(database: str) -> str:
    """Return the key that tells how good the backups of `database` are."""
    return f"{BACKUPS}{database}"


def evidence(environment: str, kind: str, subject: str = "") -> str:
    """Return the key of a proof that a hard stop asks for, or the prefix of all of a kind.

    Args:
        environment: for which environment it was recorded.
        kind: `tests` or `vulnerabilities`.
        subject: what it is about: a commit, or the SHA-256 of a lock file.
    """
    return f"{EVIDENCE}{environment}/{kind}/{subject}"
