"""What tests of the verbs that deploy have in common: the jobs, a Vault, and how a verb ended."""

from __future__ import annotations

from dataclasses import dataclass

from flowrex.errors import ServerUnreachable
from flowrex.vault import VaultHealth
from tests.unit.generator.rolling import spec

OLD = {
    "migrate": spec("migrate", kind="batch", count=1),
    "backend": spec(release="1.0.0"),
    "worker": spec("worker", canary=0),
    "nginx": spec("nginx", canary=0),
}


@dataclass
class Vault:
    """As much of Vault as a run asks."""

    address: str = "http://127.0.0.1:8200"
    sealed: bool = False
    answers: int = 99

    def health(self) -> VaultHealth:
        if not self.answers:
            raise ServerUnreachable(f"Vault at {self.address} does not answer: refused")
        self.answers -= 1
        return VaultHealth(True, self.sealed, False, "1.18.0", "")
