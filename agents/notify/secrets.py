"""The channels' secrets: a file in the credentials' folder, else a key of the agent's secret."""

from __future__ import annotations

import os
from collections.abc import Mapping

from agents.context import Context
from agents.credentials.files import Files
from flowrex.secret import Secret

WEBHOOK_URL = "notify-webhook-url"
MAIL_PASSWORD = "notify-mail-password"  # noqa: S105 - a file's name


def find(context: Context, name: str, environ: Mapping[str, str] = os.environ) -> Secret | None:
    """Return a secret, or None where there is none. Asks Vault, so call it from a thread.

    Args:
        context: where Vault is.
        name: the file's name; in Vault its dashes are underscores.
        environ: names the credentials' folder.

    Raises:
        ServerUnreachable: it may be in Vault, and Vault is away; or its file can't be read.
    """
    settings = context.settings
    found = Files.of(environ, settings.credentials_dir).read(name)
    if found is not None or not settings.vault.enabled:
        return found
    kept = context.vault().kv_read(settings.vault.secret, mount=settings.vault.kv_mount) or {}
    return kept.get(name.replace("-", "_"))
