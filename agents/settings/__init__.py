"""The agent's settings: one commented reference file, and the node's own file over it."""

from agents.settings.load import REFERENCE, load
from agents.settings.model import Agent

__all__ = ["REFERENCE", "Agent", "load"]
