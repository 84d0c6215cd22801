"""Vault's policies: one file a role in vault-policies/, named flowrex-<file> in Vault."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flowrex.errors import ConfigurationError
from generator.bootstrap.report import Step
from generator.bootstrap.step import ensure

if TYPE_CHECKING:
    from flowrex.vault import VaultClient
    from generator.environment.model import Vault

FOLDER = "vault-policies"
PREFIX = "flowrex-"


def steps(client: VaultClient, project: Path, mounts: Vault, *, check_only: bool) -> Iterator[Step]:
    """Make every policy be as its file says.

    Args:
        client: with the right to write policies.
        project: the folder that has vault-policies/.
        mounts: where the environment's engines are.
        check_only: change nothing.
    """
    for name, text in policies(project, mounts).items():
        path = f"sys/policies/acl/{name}"
        found = client.read(path)
        yield ensure(
            f"vault policy {name}",
            lambda path=path, text=text: client.write(path, {"policy": text}),  # type: ignore[misc]
            present=found is not None,
            same=found is not None and found["policy"].strip() == text.strip(),
            check_only=check_only,
            detail=f"it is not what {FOLDER}/{name.removeprefix(PREFIX)}.hcl says",
        )


def policies(project: Path, mounts: Vault) -> dict[str, str]:
    """Return each policy's text by its name in Vault.

    Raises:
        ConfigurationError: there are no policy files.
    """
    files = sorted((project / FOLDER).glob("*.hcl"))
    if not files:
        raise ConfigurationError(
            "holds no policy", path=project / FOLDER, hint="Work in a whole checkout."
        )
    moved = {
        "kv": mounts.kv_mount,
        "database": mounts.database_mount,
        "pki": mounts.pki_mount,
    }
    return {
        PREFIX + file.stem: with_mounts(file.read_text(encoding="utf-8"), moved) for file in files
    }


def with_mounts(text: str, moved: Mapping[str, str]) -> str:
    """Put an environment's mounts in the place of the usual ones.

    Args:
        text: a policy whose paths begin with the usual mounts, so that the file can also be given
            to `vault policy write` as it is.
        moved: the environment's mount by the usual one.
    """
    return re.sub(
        r'(?m)^(\s*path\s+")([a-z]+)/',
        lambda found: f"{found[1]}{moved.get(found[2], found[2])}/",
        text,
    )
