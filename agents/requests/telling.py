"""How long work of a request tells that it goes on, and hears that the agent stops."""

from __future__ import annotations

from agents.requests.handler import Progress


class Telling:
    """Tells the requests' task that work goes on, and hears from it that the agent stops."""

    def __init__(self, progress: Progress, message: str) -> None:
        """Begin with a sentence.

        Args:
            progress: what takes it.
            message: told until there is another.
        """
        self._progress, self._message = progress, message

    def say(self, message: str) -> None:
        """Tell how far it is."""
        self._message = message
        self.tick()

    def tick(self) -> None:
        """Tell that it goes on; raises `Interrupted` where the agent stops."""
        self._progress(self._message)
