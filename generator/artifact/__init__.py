"""The platform's artifacts: archives whose bytes depend on their content alone."""

from __future__ import annotations

from generator.artifact.build import build
from generator.artifact.made import Artifact
from generator.artifact.push import Pushed, push

__all__ = ["Artifact", "Pushed", "build", "push"]
