"""Orders without end from a process of its own: `python -m bench.order_load HOST:PORT …`.

Each answer is one JSON line: its status, and when it came, by the machine's monotonic clock.
"""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import threading
import time

CONNECTIONS = 4
PAUSE_S = 0.02

_printing = threading.Lock()


def main() -> None:
    for place in sys.argv[1:]:
        for number in range(CONNECTIONS):
            threading.Thread(target=_orders, args=(place, number), daemon=True).start()
    threading.Event().wait()


def _orders(place: str, number: int) -> None:
    connection = http.client.HTTPConnection(place, timeout=10)
    for turn in itertools.count():
        body = {"symbol": "EUR_USD", "side": ("buy", "sell")[turn % 2], "quantity": "1"}
        key = f"bench-{place}-{number}-{time.time_ns()}"
        headers = {"X-Actor": "bench", "Idempotency-Key": key, "Content-Type": "application/json"}
        try:
            connection.request("POST", "/api/v1/orders", json.dumps(body), headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
        else:
            with _printing:
                print(json.dumps([answer.status, time.monotonic()]), flush=True)
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
