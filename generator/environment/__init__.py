"""Environments: what differs between dev, staging and prod."""

from generator.environment.load import checked, load, merged, names
from generator.environment.model import Environment

__all__ = ["Environment", "checked", "load", "merged", "names"]
