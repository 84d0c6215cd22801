"""`python -m app.alive`: asks the process of the same container whether it lives.

An image's health check has no other program for it. The address is the process's own setting; a
process without one, such as the migration, is alive while it runs.
"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping

_TIMEOUT_S = 8
_OK = 200
# Where a process listens on all of its addresses, this is one of them.
_ALL = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}  # noqa: S104


def problem(environ: Mapping[str, str]) -> str | None:
    """Return why the process does not count as alive, or None.

    Args:
        environ: the container's environment; FLOWREX_LISTEN is where the process answers.
    """
    listens = environ.get("FLOWREX_LISTEN", "")
    if not listens:
        return None
    host, _, port = listens.rpartition(":")
    connection = http.client.HTTPConnection(f"{_ALL.get(host, host)}:{port}", timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/health/live")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer from {listens}: {error}"
    finally:
        connection.close()
    return None if status == _OK else f"{listens} answers {status}"


if __name__ == "__main__":
    why = problem(os.environ)
    sys.exit(why)
