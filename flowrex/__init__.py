"""The floor that the deployer, the agent and the application stand on."""

__version__ = "0.1.0"
