"""Vault, Consul, Nomad and PostgreSQL, configured by the same code for dev and prod."""

from generator.bootstrap.report import Report, State, Step
from generator.bootstrap.run import after_nomad, before_nomad, run
from generator.bootstrap.target import Target

__all__ = ["Report", "State", "Step", "Target", "after_nomad", "before_nomad", "run"]
