"""How long to wait before another try: twice as long each time, and not all nodes at once."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Exponential back-off with jitter.

    Attributes:
        first_s: seconds before the first try.
        most_s: seconds that no wait exceeds.
        chance: returns a number from 0 to 1.
    """

    first_s: float
    most_s: float
    chance: Callable[[], float] = random.random

    def seconds(self, failures: int) -> float:
        """Return the wait after so many failures in a row, of which there is at least one.

        Between half and the whole of the doubled time, so that nodes which lost the same server
        do not come back to it together.
        """
        # The exponent is bounded: a float overflows where a task fails for months.
        doubled = min(self.most_s, self.first_s * 2.0 ** min(failures - 1, 40))
        return doubled * (0.5 + 0.5 * self.chance())
