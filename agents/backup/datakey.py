"""Data keys: made by Vault's transit engine, kept only wrapped."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from flowrex.errors import ConfigurationError, ServerRefused
from flowrex.secret import Secret
from flowrex.vault import VaultClient


@dataclass(frozen=True)
class WrappedKey:
    """A data key as a manifest keeps it.

    Attributes:
        engine: mount and name of the transit key that opens it, `transit/flowrex-backup`.
        text: the wrapped key.
    """

    engine: str
    text: str


class DataKey:
    """A data key in this process's memory; it never prints."""

    def __init__(self, plain: str, wrapped: WrappedKey) -> None:
        """Hold a key.

        Args:
            plain: the key in base 64.
            wrapped: the same key as it may be kept.
        """
        self._plain = Secret(plain)
        self.wrapped = wrapped

    @property
    def bytes(self) -> bytes:
        """The key."""
        return b64decode(self._plain.reveal())


class KeyRing(Protocol):
    """Makes data keys and opens those that it made."""

    def new(self) -> DataKey:
        """Return a new key."""
        ...

    def unwrap(self, wrapped: WrappedKey) -> DataKey:
        """Return a key that a manifest kept."""
        ...


class TransitKeys:
    """Vault's transit engine."""

    def __init__(self, vault: Callable[[], VaultClient], mount: str, name: str) -> None:
        """Remember which key wraps.

        Args:
            vault: gives the client.
            mount: where the engine is mounted.
            name: the key's name there.
        """
        self._vault, self._mount, self._name = vault, mount, name

    def new(self) -> DataKey:
        """Return a new key of 256 bits.

        Raises:
            ServerUnreachable: Vault is away, sealed, or does not allow it.
        """
        path = f"{self._mount}/datakey/plaintext/{self._name}"
        made = self._vault().write(path, {"bits": 256})
        wrapped = WrappedKey(f"{self._mount}/{self._name}", _text(made.get("ciphertext")))
        return DataKey(_text(made.get("plaintext")), wrapped)

    def unwrap(self, wrapped: WrappedKey) -> DataKey:
        """Return the plain key.

        Raises:
            ConfigurationError: it was wrapped by a key with another name.
            ServerUnreachable: Vault is away, sealed, does not allow it, or has another key by now.
        """
        own = f"{self._mount}/{self._name}"
        if wrapped.engine != own:
            raise ConfigurationError(
                f"this backup's key was wrapped by Vault's {wrapped.engine}, "
                f"and the agent uses {own}",
                hint="Set backup.transit_mount and backup.transit_key to that one.",
            )
        path = f"{self._mount}/decrypt/{self._name}"
        opened = self._vault().write(path, {"ciphertext": wrapped.text})
        return DataKey(_text(opened.get("plaintext")), wrapped)


def _text(found: object) -> str:
    if not isinstance(found, str) or not found:
        raise ServerRefused("Vault's transit engine answers without a key")
    return found
