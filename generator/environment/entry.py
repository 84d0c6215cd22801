"""The platform's one entry, as an environment describes it: nginx, and its TLS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from flowrex.settings.checks import some_time
from flowrex.settings.declare import Duration, WrongSetting, setting
from generator.environment.release import VERSION
from generator.environment.task import Health, Resources


def network(text: str) -> None:
    """Check a network as nginx takes one.

    Args:
        text: for example `10.0.0.0/8`, `2001:db8::/32`, or one address.

    Raises:
        ValueError: it is none, or has bits beyond its mask.
    """
    try:
        ip_network(text)
    except ValueError as error:
        raise ValueError(f"expected a network such as 10.0.0.0/8 ({error})") from error


@dataclass(frozen=True, kw_only=True)
class Tls:
    """TLS at the entry, by the certificate that Vault keeps for it."""

    enabled: bool = setting("True to speak it; without it something before the entry must.")
    port: int = setting("TCP port for it, on each node.", minimum=1, maximum=65535)
    plain_allow: tuple[str, ...] = setting(
        "Networks (CIDR) that may do without; all others are sent to the port with TLS.",
        check=network,
    )
    hsts_seconds: int = setting(
        "Seconds for which a browser shall come by TLS alone, to subdomains too; 0 says nothing.",
        minimum=0,
    )


@dataclass(frozen=True, kw_only=True)
class Nginx:
    """The platform's one entry."""

    count: int = setting("Instances.", minimum=0)
    port: int = setting("TCP port that it listens on, on each node.", minimum=1, maximum=65535)
    user: str = setting("User of its workers (raw_exec).", pattern=r"[a-z_][a-z0-9_-]*")
    tls: Tls = setting("")
    image_version: str = setting(
        "Version of its image, for containers. Not the release's, which would restart the entry.",
        pattern=VERSION,
    )
    entry_only: bool = setting('True to keep it on nodes whose meta says `entry = "true"`.')
    worker_connections: int = setting("Connections a worker.", minimum=16)
    api_rate: int = setting(
        "Requests a minute of one address to the API, on average; 0: any.", minimum=0
    )
    api_burst: int = setting("Requests beyond that which it may have at once.", minimum=0)
    upstream_max_fails: int = setting(
        "Failures within upstream_fail_timeout that take an instance out.", minimum=0
    )
    upstream_fail_timeout: Duration = setting("How long it is left out.")
    upstream_keepalive: int = setting("Idle connections kept to the instances.", minimum=0)
    connect_timeout: Duration = setting("Time to connect to an instance.", check=some_time)
    read_timeout: Duration = setting("Time between two reads from an instance.", check=some_time)
    retries: int = setting("Instances tried for one request.", minimum=1)
    body_limit: str = setting("Largest request body.", pattern=r"[0-9]+[kKmMgG]?")
    metrics_allow: tuple[str, ...] = setting(
        "Networks (CIDR) that may read /metrics.", check=network
    )
    ops_allow: tuple[str, ...] = setting(
        "Networks (CIDR) that maintenance does not turn away.", check=network
    )
    maintenance_retry_seconds: int = setting(
        "Seconds after which those that are turned away may try again.", minimum=1
    )
    resources: Resources = setting("")
    health: Health = setting("")
    env: Mapping[str, str] = setting("More environment variables, by name.")

    def __post_init__(self) -> None:
        """Refuse one port for both.

        Raises:
            WrongSetting: `port` is also the port with TLS.
        """
        if self.tls.enabled and self.port == self.tls.port:
            raise WrongSetting(
                "port",
                f"is {self.port}, and nginx.tls.port is as well",
                hint="Give each a port of its own.",
            )
