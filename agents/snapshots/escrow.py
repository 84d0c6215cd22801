"""Keys for what must open without Vault: Vault's own snapshot.

Every other backup's data key is wrapped by Vault. When Vault itself is lost that would be a key in
its own safe, so here it is wrapped by the escrow key: a credential's file on the node that takes
the snapshots, and a copy kept offline, where the unseal keys are.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agents.backup.datakey import DataKey, WrappedKey
from agents.backup.seal import SealBroken
from flowrex.errors import ConfigurationError
from flowrex.secret import Secret

ENGINE = "escrow"
_BYTES = 32
_NONCE = 12
_SHORTEST = 32


class EscrowKeys:
    """Wraps data keys by the escrow key."""

    def __init__(self, escrow: Callable[[], Secret]) -> None:
        """Remember where the escrow key is.

        Args:
            escrow: gives it: any text of at least 32 characters.
        """
        self._escrow = escrow

    def new(self) -> DataKey:
        """Return a new key of 256 bits."""
        plain, nonce = os.urandom(_BYTES), os.urandom(_NONCE)
        sealed = nonce + self._cipher().encrypt(nonce, plain, ENGINE.encode())
        return DataKey(b64encode(plain).decode(), WrappedKey(ENGINE, b64encode(sealed).decode()))

    def unwrap(self, wrapped: WrappedKey) -> DataKey:
        """Return a key that a manifest kept.

        Raises:
            SealBroken: it is of another escrow key, or was changed.
        """
        try:
            sealed = b64decode(wrapped.text, validate=True)
            plain = self._cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], ENGINE.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken(
                "the snapshot's key does not open with this escrow key",
                hint="Look for the escrow key that was in use when it was taken.",
            ) from error
        return DataKey(b64encode(plain).decode(), wrapped)

    def _cipher(self) -> AESGCM:
        text = self._escrow().reveal()
        if len(text) < _SHORTEST:
            raise ConfigurationError(
                f"the escrow key has {len(text)} characters; expected at least {_SHORTEST}",
                hint="openssl rand -base64 32 makes one.",
            )
        derived = HKDF(SHA256(), _BYTES, salt=None, info=b"flowrex escrow").derive(text.encode())
        return AESGCM(derived)
