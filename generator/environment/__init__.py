"""Environments: what differs between dev, staging and prod."""

from generator.environment.load import load, names
from generator.environment.model import Environment

__all__ = ["Environment", "load", "names"]
