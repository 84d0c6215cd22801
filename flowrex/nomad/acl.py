"""Nomad's ACLs: policies and tokens."""

from __future__ import annotations

from typing import Any

from flowrex.errors import NotFound
from flowrex.nomad import NomadClient
from flowrex.secret import Secret


class NomadAcl:
    """The ACL calls of one client, whose token must be a management token."""

    def __init__(self, client: NomadClient) -> None:
        self._send = client.transport

    def policy(self, name: str) -> dict[str, Any] | None:
        """Return a policy, or None."""
        return self._find(f"acl/policy/{name}")

    def put_policy(self, name: str, rules: str, description: str) -> None:
        """Create or update a policy.

        Args:
            name: its name.
            rules: HCL.
            description: what it is for.
        """
        body = {"Name": name, "Description": description, "Rules": rules}
        self._send.put(f"acl/policy/{name}", body)

    def token_named(self, name: str) -> dict[str, Any] | None:
        """Return the token of that name, its secret included, or None."""
        for stub in self._send.get("acl/tokens"):
            if stub["Name"] == name:
                return self._find(f"acl/token/{stub['AccessorID']}")
        return None

    def put_token(
        self, name: str, policies: tuple[str, ...], *, accessor: str | None = None
    ) -> Secret:
        """Create a client token, or update the one with that accessor.

        Args:
            name: whose it is.
            policies: names.
            accessor: the accessor of the token to update.

        Returns:
            Its secret.
        """
        body: dict[str, Any] = {"Name": name, "Type": "client", "Policies": list(policies)}
        if accessor is not None:
            body["AccessorID"] = accessor
        answer = self._send.put("acl/token" + (f"/{accessor}" if accessor else ""), body)
        return Secret(answer["SecretID"])

    def _find(self, path: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._send.get(path)
        except NotFound:
            return None
        return found
