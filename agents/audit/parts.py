"""Makes the audit tasks from the settings."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from agents.audit.choose import Readiness
from agents.audit.cut import Bounds
from agents.audit.expire import Places
from agents.audit.lane import Lane
from agents.audit.operators import Operators
from agents.audit.own import PATTERN, OwnTrail
from agents.audit.retention import AuditRetention
from agents.audit.ship import Shipper
from agents.audit.tail import Tail
from agents.audit.task import Audit
from agents.context import Context
from agents.settings.audit import Audit as Settings
from agents.sinks.sink import Sink
from agents.task import Task
from flowrex.audit.proof import AGENT_CATEGORY
from flowrex.duration import seconds
from flowrex.errors import ServerUnreachable
from flowrex.secret import Secret

_SHIP_WITHIN_S = 300.0


def tasks(context: Context) -> list[Task]:
    """Return the tasks that ship the audit log and remove what is too old."""
    settings = context.settings.audit
    folder = context.state("audit")
    patterns = {**settings.patterns(), AGENT_CATEGORY: [str(folder / "own" / PATTERN)]}
    tail = Tail(patterns, settle_s=seconds(settings.settle), keep=folder / "removed")
    lanes = [
        Lane(
            shipper=_shipper(context, tail, sink, folder / sink.name),
            clock=context.clock,
            bandwidth=settings.bandwidth,
        )
        for sink in sinks(context)
    ]
    audit = Audit(context, tail, lanes, poll_s=seconds(settings.poll_interval))
    own = OwnTrail(folder / "own")
    made: list[Task] = [audit, Operators(context, own)]
    if settings.s3.enabled:
        made.append(
            AuditRetention(
                context,
                places(context),
                own,
                interval_s=seconds(settings.retention_interval),
                shipped=partial(audit.flush_now, sink="s3", within_s=_SHIP_WITHIN_S),
            )
        )
    return made


def places(context: Context) -> Places:
    """Return where segments are, and where they are moved to."""
    settings = context.settings
    return Places(context.s3, settings.s3.logs_bucket, settings.audit.archive_bucket)


def sinks(context: Context) -> list[Sink]:
    """Return the sinks that are switched on."""
    settings, made = context.settings.audit, list[Sink]()
    if settings.s3.enabled:
        made.append(s3_sink(context))
    if settings.syslog.enabled:
        from agents.sinks.syslog import SyslogServer, SyslogSink

        said = settings.syslog
        server = SyslogServer(
            said.host,
            said.port,
            _path(said.ca_file),
            _path(said.certificate_file),
            _path(said.key_file),
            said.facility,
        )
        made.append(SyslogSink(server))
    if settings.http.enabled:
        from agents.sinks.http import HttpSink

        token = partial(_token, settings.http.token_file)
        made.append(HttpSink(settings.http.url, token=token, ca_file=_path(settings.http.ca_file)))
    return made


def s3_sink(context: Context) -> Sink:
    """Return the sink that is the bucket."""
    from agents.sinks.s3 import Lock, S3Sink

    settings = context.settings.audit
    locks: dict[str, Lock | None] = {
        "off": None,
        "governance": "GOVERNANCE",
        "compliance": "COMPLIANCE",
    }
    return S3Sink(
        context.s3,
        context.settings.s3.logs_bucket,
        retention=settings.locked(),
        lock=locks[settings.s3.object_lock],
        now=context.clock.now,
        refused=context.refused,
    )


def bounds(settings: Settings) -> Bounds:
    """Return how much is cut at once."""
    return Bounds(settings.segment_bytes, settings.segment_lines, settings.longest_line)


def _shipper(context: Context, tail: Tail, sink: Sink, folder: Path) -> Shipper:
    settings = context.settings.audit
    readiness = Readiness(
        settings.segment_bytes, seconds(settings.segment_age), seconds(settings.partial_line)
    )
    clock = context.clock
    return Shipper(
        sink, tail, folder, context.node, bounds(settings), readiness, clock.now, clock.monotonic
    )


def _path(name: str | None) -> Path | None:
    return Path(name) if name else None


def _token(name: str | None) -> Secret | None:
    if name is None:
        return None
    try:
        return Secret(Path(name).read_text(encoding="utf-8").strip())
    except OSError as error:
        raise ServerUnreachable(
            f"the token of the audit receiver can't be read: {name}: {error.strerror}",
            hint="audit.http.token_file names it.",
        ) from error
