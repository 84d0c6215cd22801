"""Consul's ACLs: policies, roles, tokens, auth methods and binding rules.

Everything is found by its name; nothing that is missing is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowrex.consul import ConsulClient
from flowrex.errors import NotFound, PermissionRefused
from flowrex.secret import Secret

Body = Mapping[str, Any]


class ConsulAcl:
    """The ACL calls of one client, whose token must have `acl = "write"`."""

    def __init__(self, client: ConsulClient) -> None:
        self._client = client

    def policy(self, name: str) -> dict[str, Any] | None:
        """Return a policy, or None."""
        return self._find(f"/v1/acl/policy/name/{name}")

    def put_policy(self, name: str, rules: str, description: str) -> None:
        """Create or update a policy.

        Args:
            name: its name.
            rules: HCL.
            description: what it is for.
        """
        body = {"Name": name, "Rules": rules, "Description": description}
        self._put("/v1/acl/policy", self.policy(name), body)

    def role(self, name: str) -> dict[str, Any] | None:
        """Return a role, or None."""
        return self._find(f"/v1/acl/role/name/{name}")

    def put_role(self, name: str, policies: tuple[str, ...], description: str) -> None:
        """Create or update a role with exactly these policies."""
        body = {
            "Name": name,
            "Description": description,
            "Policies": [{"Name": policy} for policy in policies],
        }
        self._put("/v1/acl/role", self.role(name), body)

    def token(self, accessor: str) -> dict[str, Any] | None:
        """Return a token by its accessor, its secret included, or None.

        The secret is under `SecretID`: take it by `secret_of` and let the rest of the answer go.
        """
        path = f"/v1/acl/token/{accessor}"
        try:
            return self._find(path)
        except PermissionRefused as error:
            # Some versions answer 403 "ACL not found", for a token that is not there, too. For the
            # token that asks it is answered as well, by a server that has just started.
            if "ACL not found" not in error.message or not self._may_read():
                raise
        try:
            return self._find(path)
        except PermissionRefused as error:
            if "ACL not found" in error.message:
                return None
            raise

    def put_token(self, accessor: str, roles: tuple[str, ...], description: str) -> Secret:
        """Create or update a token with exactly these roles.

        Args:
            accessor: its accessor, a UUID that the caller chooses.
            roles: names.
            description: whose it is.

        Returns:
            Its secret.
        """
        body: dict[str, Any] = {
            "AccessorID": accessor,
            "Description": description,
            "Roles": [{"Name": role} for role in roles],
        }
        there = self.token(accessor)
        path = "/v1/acl/token" if there is None else f"/v1/acl/token/{accessor}"
        return secret_of(self._client.request("PUT", path, body))

    def auth_method(self, name: str) -> dict[str, Any] | None:
        """Return an auth method, or None."""
        return self._find(f"/v1/acl/auth-method/{name}")

    def put_auth_method(self, name: str, body: Body) -> None:
        """Create or update an auth method; Consul fetches the keys that it names."""
        there = self.auth_method(name)
        path = "/v1/acl/auth-method" + ("" if there is None else f"/{name}")
        self._client.request("PUT", path, {"Name": name, **body})

    def binding_rules(self, auth_method: str) -> list[dict[str, Any]]:
        """Return the binding rules of an auth method."""
        found = self._client.request("GET", "/v1/acl/binding-rules") or []
        return [rule for rule in found if rule["AuthMethod"] == auth_method]

    def put_binding_rule(self, auth_method: str, body: Body, rule_id: str | None) -> None:
        """Create a binding rule, or update the one with that id."""
        path = "/v1/acl/binding-rule" + ("" if rule_id is None else f"/{rule_id}")
        self._client.request("PUT", path, {"AuthMethod": auth_method, **body})

    def delete_binding_rule(self, rule_id: str) -> None:
        """Delete a binding rule."""
        self._client.request("DELETE", f"/v1/acl/binding-rule/{rule_id}")

    def login(self, auth_method: str, bearer: Secret) -> Secret:
        """Trade a signed identity for a token, as Nomad does for a task.

        Args:
            auth_method: its name.
            bearer: the signed identity (JWT).
        """
        body = {"AuthMethod": auth_method, "BearerToken": bearer.reveal()}
        return secret_of(self._client.request("POST", "/v1/acl/login", body))

    def _find(self, path: str) -> dict[str, Any] | None:
        try:
            found = self._client.request("GET", path)
        except NotFound:
            return None
        return dict(found) if found else None

    def _put(self, path: str, there: Body | None, body: Body) -> None:
        self._client.request("PUT", path if there is None else f"{path}/{there['ID']}", body)

    def _may_read(self) -> bool:
        self._client.request("GET", "/v1/acl/policies")
        return True


def secret_of(token: Body) -> Secret:
    """Return a token's secret."""
    return Secret(token["SecretID"])
