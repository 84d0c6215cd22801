"""Watchers of the switch in a process of their own: `python -m bench.switch_watchers KIND COUNT`.

KIND is `agent`, a KeyWatch as the node agents have, or `plain`, Consul's blocking query and nothing
else. The address and the token come from CONSUL_HTTP_ADDR and CONSUL_HTTP_TOKEN. Each change of the
key is one JSON line: its index, and when it was known, by the machine's monotonic clock.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.consul.watch import KeyWatch, Missed, Reading
from flowrex.secret import Secret
from flowrex.switch import Switch

_printing = threading.Lock()


def main() -> None:
    kind, count = sys.argv[1], int(sys.argv[2])
    start = {"agent": _agent, "plain": _plain}[kind]
    for _ in range(count):
        start(_client())
    threading.Event().wait()


def _client() -> ConsulClient:
    return ConsulClient(os.environ["CONSUL_HTTP_ADDR"], Secret(os.environ["CONSUL_HTTP_TOKEN"]))


def _known(index: int, at: float) -> None:
    with _printing:
        print(json.dumps([index, at]), flush=True)


def _agent(client: ConsulClient) -> None:
    switch = Switch()

    def tell(told: Reading | Missed) -> None:
        if switch.take(told) and isinstance(told, Reading):
            _known(told.index, time.monotonic())

    KeyWatch(lambda: client, keys.EMERGENCY, tell).start()


def _plain(client: ConsulClient) -> None:
    def follow() -> None:
        index = 0
        while True:
            entry, index = client.kv_wait(keys.EMERGENCY, index, 10)
            _known(entry.modify_index if entry else 0, time.monotonic())

    threading.Thread(target=follow, daemon=True).start()


if __name__ == "__main__":
    main()
