"""What was released, as people and programs ask for it: which, what is in it, how two differ."""

from __future__ import annotations

from generator.releases.find import find
from generator.releases.outcome import outcome

__all__ = ["find", "outcome"]
