"""Consul's blocking query on the switch and nothing else: `python -m bench.switch_watchers COUNT`.

The address and the token come from CONSUL_HTTP_ADDR and CONSUL_HTTP_TOKEN. Each change of the key
is one JSON line: its index, and when it was known, by the machine's monotonic clock.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.secret import Secret

_printing = threading.Lock()


def main() -> None:
    for _ in range(int(sys.argv[1])):
        threading.Thread(target=_follow, args=(_client(),), daemon=True).start()
    threading.Event().wait()


def _client() -> ConsulClient:
    return ConsulClient(os.environ["CONSUL_HTTP_ADDR"], Secret(os.environ["CONSUL_HTTP_TOKEN"]))


def _follow(client: ConsulClient) -> None:
    index = 0
    while True:
        entry, index = client.kv_wait(keys.EMERGENCY, index, 10)
        _known(entry.modify_index if entry else 0, time.monotonic())


def _known(index: int, at: float) -> None:
    with _printing:
        print(json.dumps([index, at]), flush=True)


if __name__ == "__main__":
    main()
