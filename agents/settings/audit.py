"""The section `audit`: which files are shipped, where to, and how long what was shipped is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from flowrex.audit.proof import AGENT_CATEGORY
from flowrex.settings.declare import Duration, WrongSetting, setting

_RULE = re.compile(r"([1-9][0-9]{0,4})d( move)?")
_CLASS = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Retention:
    """How long a class is kept, and whether it is moved to the archive's bucket then."""

    keep: timedelta
    move: bool = False


@dataclass(frozen=True, kw_only=True)
class AuditS3:
    """The object store, whose bucket is `s3.logs_bucket`."""

    enabled: bool = setting("Ship to the object store.")
    object_lock: Literal["off", "governance", "compliance"] = setting(
        "How objects are locked until their time is over. Nobody can shorten `compliance`."
    )


@dataclass(frozen=True, kw_only=True)
class AuditSyslog:
    """A syslog server: RFC 5424 messages over TLS, octet-counted as in RFC 5425."""

    enabled: bool = setting("Ship to a syslog server.")
    host: str = setting("Its name, which its certificate must have.")
    port: int = setting("Its TCP port.", minimum=1, maximum=65535)
    ca_file: str | None = setting("Certificates that its own is checked by; null: the system's.")
    certificate_file: str | None = setting("The agent's own certificate; null: none is shown.")
    key_file: str | None = setting("That certificate's key.")
    facility: int = setting("Syslog facility; 13 is log audit.", minimum=0, maximum=23)


@dataclass(frozen=True, kw_only=True)
class AuditHttp:
    """A receiver of NDJSON batches."""

    enabled: bool = setting("Ship to an HTTP receiver.")
    url: str = setting("Where batches are posted to.", pattern=r"https?://.+")
    ca_file: str | None = setting("Certificates that its own is checked by; null: the system's.")
    token_file: str | None = setting("File with the bearer token; null: none is sent.")


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Shipping of the audit log."""

    enabled: bool = setting("Ship the audit log of this node.")
    sources: Mapping[str, str] = setting(
        "By class, the glob patterns of its files, separated by blanks. They should match rotated "
        "files as well, so that a restart finds them."
    )
    retention: Mapping[str, str] = setting(
        "By class, how many days it is kept, as `1827d`; `1827d move` moves it to the archive."
    )
    archive_bucket: str | None = setting("Bucket that classes with `move` are moved to.")
    retention_interval: Duration = setting("Time between two looks for what is to be removed.")
    poll_interval: Duration = setting("Time between two looks at the files.")
    segment_age: Duration = setting("Longest time that a line waits for others.")
    segment_bytes: int = setting(
        "Bytes of a file in one segment, at most a line more.", minimum=65_536, maximum=67_108_864
    )
    segment_lines: int = setting("Lines in one segment, about.", minimum=1)
    longest_line: int = setting(
        "Bytes of a line; what is longer is quarantined in pieces.",
        minimum=4096,
        maximum=4_194_304,
    )
    partial_line: Duration = setting(
        "Time after which half a line, to which nothing is added, is quarantined."
    )
    settle: Duration = setting(
        "Time after which a file that lost its name, and to which nothing is added, is left."
    )
    bandwidth: int = setting("Most bytes a second to each sink, averaged; 0: all.", minimum=0)
    s3: AuditS3 = setting("")
    syslog: AuditSyslog = setting("")
    http: AuditHttp = setting("")

    def __post_init__(self) -> None:
        """Check what no single setting shows."""
        for name in self.sources:
            if not _CLASS.fullmatch(name) or name == AGENT_CATEGORY:
                raise WrongSetting(
                    "sources",
                    f"has {name!r}, which can't be a class",
                    hint="Use lower-case letters.",
                )
            if name not in self.retention:
                raise WrongSetting(
                    "retention",
                    f"does not have the class {name!r}",
                    hint=f"Say, for example, {name}: 400d",
                )
        kept = self.kept()
        if any(rule.move for rule in kept.values()) and not self.archive_bucket:
            raise WrongSetting(
                "archive_bucket", "is empty, and a class is to be moved there", hint="Name it."
            )

    def patterns(self) -> dict[str, list[str]]:
        """Return the glob patterns by class."""
        return {name: text.split() for name, text in self.sources.items()}

    def locked(self) -> dict[str, timedelta]:
        """Return how long each class is locked; the agents' own records as long as any."""
        kept = {name: rule.keep for name, rule in self.kept().items()}
        return {**kept, AGENT_CATEGORY: max(kept.values(), default=timedelta(days=1827))}

    def kept(self) -> dict[str, Retention]:
        """Return how long each class is kept. The agents' own records are not among them.

        Those tell which segments were removed, and why the chain may have gaps, so they stay.

        Raises:
            WrongSetting: a rule can't be read.
        """
        rules = {}
        for name, text in self.retention.items():
            found = _RULE.fullmatch(text)
            if found is None:
                raise WrongSetting(
                    "retention",
                    f"has {text!r} for {name}",
                    hint="Write it like 1827d or 1827d move.",
                )
            rules[name] = Retention(timedelta(days=int(found[1])), move=bool(found[2]))
        return rules
