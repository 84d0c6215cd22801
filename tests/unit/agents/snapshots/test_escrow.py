"""What opens without Vault."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agents.backup.seal import SealBroken
from agents.snapshots.escrow import EscrowKeys
from flowrex.errors import ConfigurationError
from flowrex.secret import Secret

ESCROW = Secret("a text of a good length, kept offline")


def test_a_key_opens_again_with_the_escrow_key_alone() -> None:
    made = EscrowKeys(lambda: ESCROW).new()
    assert EscrowKeys(lambda: ESCROW).unwrap(made.wrapped).bytes == made.bytes


def test_each_snapshot_has_a_key_of_its_own() -> None:
    keys = EscrowKeys(lambda: ESCROW)
    assert keys.new().bytes != keys.new().bytes


def test_another_escrow_key_opens_nothing() -> None:
    made = EscrowKeys(lambda: ESCROW).new()
    with pytest.raises(SealBroken, match="does not open"):
        EscrowKeys(lambda: Secret("another text of a good length, too")).unwrap(made.wrapped)


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!"])
def test_a_damaged_key_is_a_sentence(text: str) -> None:
    keys = EscrowKeys(lambda: ESCROW)
    with pytest.raises(SealBroken):
        keys.unwrap(replace(keys.new().wrapped, text=text))


def test_a_short_escrow_key_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError, match="has 5 characters") as caught:
        EscrowKeys(lambda: Secret("short")).new()
    assert "short" not in caught.value.message
