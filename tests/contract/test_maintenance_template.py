"""nginx's template, rendered by the real consul-template for whatever may stand in the switches."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.emergency import LONGEST_VALUE, Level, parse
from tests.cluster import ROOT
from tests.contract import own
from tests.unit.flowrex.test_emergency import READABLE, UNREADABLE

TEMPLATE = ROOT / "consul-templates" / "nginx.conf.ctmpl"

STOP = [
    b'{"level": "stop"}',
    b' {"by": "ops", "reason": "\\"level\\": \\"halt\\"", "level":"stop", "at": ""}\n',
    '{"level": "stop", "reason": "Störung \U0001f6d1"}'.encode(),
    b'{"level": "stop", "reason": "a backslash \\\\x80 and \\\\"}',
    b'{"level": "stop", "reason": 7}',
    b'{"level": "stop", "reason": "level"}',
]
ODD = [
    b'{"level": "halt", "level": "stop"}',
    b'{"level": "stop", "by": "a", "by": "b"}',
    b'{"level": ["stop"]}',
    b'{"LEVEL": "stop"}',
    b'{"level": "Stop"}',
    b'"stop"',
    b"stop",
    b'["stop"]',
    b'{"level": "stop"} x',
    b'{"level": "stop", "reason": "\xff"}',
    b'{"level": "stop", "reason": "' + b"x" * LONGEST_VALUE + b'"}',
    b"{{ .Fail }}",
    b"{{ key `nowhere` }}",
    b"\x00",
]
TABLE = [value for value, _ in READABLE if value is not None] + list(UNREADABLE.values())


@pytest.fixture(scope="module")
def switches(real_consul: ConsulClient) -> Iterator[ConsulClient]:
    yield real_consul
    for key in (keys.EMERGENCY, keys.MAINTENANCE):
        real_consul.kv_delete(key)


def turned_away(consul: ConsulClient, folder: Path) -> bool:
    """Render as Nomad does, and tell whether clients are turned away."""
    target = folder / "nginx.conf"
    target.unlink(missing_ok=True)
    names: tuple[str, ...] = (
        "USER", "WORKER_CONNECTIONS", "MAX_FAILS", "FAIL_TIMEOUT", "KEEPALIVE",
    )  # fmt: skip
    names += ("API_BURST",)
    names += ("CONNECT_TIMEOUT", "READ_TIMEOUT", "RETRIES", "BODY_LIMIT", "RETRY_AFTER")
    environ = {f"FLOWREX_NGINX_{name}": "1" for name in names}
    networks = {"FLOWREX_NGINX_METRICS_ALLOW": "127.0.0.0/8", "NOMAD_TASK_DIR": str(folder)}
    done = subprocess.run(
        [own.program("consul-template"), "-once", f"-consul-addr={consul.address}",
         "-consul-retry-attempts=1", f"-template={TEMPLATE}:{target}"],
        env={"PATH": os.environ["PATH"], **environ, **networks,
             "FLOWREX_NGINX_FRONTEND": "on",
             "FLOWREX_NGINX_OPS_ALLOW": "10.0.0.0/8 192.0.2.7/32"},
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = target.read_text()
    assert "        10.0.0.0/8 0;\n        192.0.2.7/32 0;\n" in text
    (default,) = [line for line in text.splitlines() if line.startswith("        default ")][-1:]
    assert default.strip() in {"default 1;", "default 0;"}
    return default.strip() == "default 1;"


@pytest.mark.parametrize("value", TABLE + STOP + ODD)
def test_the_emergency_turns_away_at_level_stop_and_nothing_breaks_the_template(
    switches: ConsulClient, tmp_path: Path, value: bytes
) -> None:
    switches.kv_delete(keys.MAINTENANCE)
    # Consul takes no more than half a megabyte.
    switches.kv_put(keys.EMERGENCY, value[:500_000])
    assert turned_away(switches, tmp_path) == (parse(value[:500_000]).level is Level.STOP)


@pytest.mark.parametrize(
    ("value", "away"),
    [
        (b"on", True),
        (b" ON\n", True),
        (b"off", False),
        (b"", False),
        (b"on and on", False),
        (b"\xff\x00{{", False),
        (b'{"level": "stop"}', False),
    ],
)
def test_the_maintenance_switch_turns_away_when_it_is_on(
    switches: ConsulClient, tmp_path: Path, value: bytes, away: bool
) -> None:
    switches.kv_delete(keys.EMERGENCY)
    switches.kv_put(keys.MAINTENANCE, value)
    assert turned_away(switches, tmp_path) == away


def test_without_either_key_nobody_is_turned_away(switches: ConsulClient, tmp_path: Path) -> None:
    for key in (keys.EMERGENCY, keys.MAINTENANCE):
        switches.kv_delete(key)
    assert not turned_away(switches, tmp_path)
