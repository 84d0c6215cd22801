"""The agent's settings: one commented reference file, and the node's own file over it."""

from agents.settings.load import REFERENCE, defaults, load
from agents.settings.model import Agent

__all__ = ["REFERENCE", "Agent", "defaults", "load"]
