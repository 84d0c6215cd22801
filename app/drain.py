"""Whether this worker is on its way out."""

from __future__ import annotations


class Drain:
    """Shared by the server, which sets it on a signal, and the routes, which read it.

    While it is active, readiness is false and answers close their connection, but everything is
    still served: the world gets time to notice.
    """

    def __init__(self) -> None:
        self._began_at: float | None = None

    @property
    def active(self) -> bool:
        """Tell whether the worker was asked to stop."""
        return self._began_at is not None

    def begin(self, now: float) -> bool:
        """Start draining; safe in a signal handler.

        Args:
            now: a monotonic clock's reading, in seconds.

        Returns:
            Whether this call started it; a second signal changes nothing.
        """
        if self._began_at is not None:
            return False
        self._began_at = now
        return True

    def over(self, now: float, drain_s: float) -> bool:
        """Tell whether the world had `drain_s` seconds to notice."""
        return self._began_at is not None and now - self._began_at >= drain_s
