import signal
from pathlib import Path

from generator.dev.fleet import stop_order, stop_signal
from generator.dev.layout import Layout


def test_who_needs_another_server_is_stopped_before_it() -> None:
    order = stop_order(list(Layout(Path("/s"), 20000, 2).ports()))
    assert order == [
        "agent",
        "nomad-2",
        "nomad-1",
        "redis",
        "vault",
        "consul-2",
        "consul-1",
        "postgres-replica",
        "postgres",
        "s3-tls",
        "s3",
    ]


def test_postgres_does_not_wait_for_its_clients_to_go() -> None:
    assert stop_signal("postgres") == signal.SIGINT
    assert stop_signal("postgres-replica") == signal.SIGINT
    assert stop_signal("nomad-1") == signal.SIGTERM
