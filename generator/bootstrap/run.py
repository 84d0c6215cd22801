"""The order of a bootstrap, in two halves: what Nomad needs to start, and what needs Nomad."""

from __future__ import annotations

from collections.abc import Iterator

from flowrex.errors import ConfigurationError
from generator.bootstrap import (
    consul,
    consul_auth,
    nomad,
    nomad_clients,
    postgres,
    vault_agent,
    vault_audit,
    vault_auth,
    vault_database,
    vault_operator,
    vault_pki,
    vault_policies,
    vault_secrets,
    vault_transit,
)
from generator.bootstrap.report import Report, Step, report
from generator.bootstrap.target import Target
from generator.render.catalog import JOBS


def before_nomad(target: Target, *, check_only: bool = False) -> Report:
    """Configure PostgreSQL, Vault and Consul as far as that goes without Nomad.

    Args:
        target: the servers; `nomad` and `nomad_jwks_url` are not used.
        check_only: report what is missing or differs, and change nothing.

    Returns:
        Every step with its state.

    Raises:
        ServerUnreachable: a server does not answer, or refuses.
        ConfigurationError: a mount of Vault is taken by something else.
    """
    return report(_before_nomad(target, check_only=check_only))


def after_nomad(target: Target, *, check_only: bool = False) -> Report:
    """Make Vault and Consul trust Nomad's workload identities, and configure Nomad's ACLs.

    Args:
        target: the servers; `nomad` and `nomad_jwks_url` are needed.
        check_only: report what is missing or differs, and change nothing.

    Returns:
        Every step with its state.

    Raises:
        ServerUnreachable: a server does not answer, or refuses.
        ConfigurationError: `nomad` or `nomad_jwks_url` is missing.
    """
    return report(_after_nomad(target, check_only=check_only))


def run(target: Target, *, check_only: bool = False) -> Report:
    """Take both halves, one after the other.

    Args:
        target: the servers, all of them up.
        check_only: report what is missing or differs, and change nothing.

    Returns:
        Every step with its state.

    Raises:
        ServerUnreachable: a server does not answer, or refuses.
        ConfigurationError: see the halves.
    """
    first = before_nomad(target, check_only=check_only)
    return first + after_nomad(target, check_only=check_only)


def _before_nomad(target: Target, *, check_only: bool) -> Iterator[Step]:
    environment, vault = target.environment, target.vault
    mounts = environment.vault
    yield from postgres.steps(
        target.postgres_admin, environment.postgres.database, check_only=check_only
    )
    # First of all in Vault, so that the rest of its configuration is in the audit log.
    yield from vault_audit.steps(vault, target.vault_audit_file, check_only=check_only)
    yield from vault_policies.steps(vault, target.project, mounts, check_only=check_only)
    yield from vault_secrets.steps(
        vault,
        mounts.kv_mount,
        vault_secrets.wanted(
            local=environment.platform.local,
            redis_username=target.redis_username,
            agent_s3=target.agent_s3,
            redis_exporter=environment.redis_exporter.enabled,
            alertmanager=environment.alertmanager.secrets,
            tls=environment.nginx.tls.enabled,
        ),
        check_only=check_only,
    )
    yield from vault_database.steps(
        vault,
        environment,
        target.postgres_admin,
        target.postgres_plugin,
        check_only=check_only,
    )
    yield from vault_transit.steps(vault, check_only=check_only)
    yield from vault_pki.steps(vault, mounts.pki_mount, environment.name, check_only=check_only)
    yield from vault_operator.steps(vault, target.tokens_dir, check_only=check_only)
    yield from consul.steps(target.consul, target.tokens_dir, check_only=check_only)
    yield from vault_agent.steps(
        vault, target.consul, mounts, target.tokens_dir, check_only=check_only
    )


def _after_nomad(target: Target, *, check_only: bool) -> Iterator[Step]:
    if target.nomad is None or target.nomad_jwks_url is None:
        raise ConfigurationError(
            "the second half of a bootstrap needs Nomad and the address of its keys"
        )
    namespace = target.environment.platform.namespace
    yield from vault_auth.steps(
        target.vault,
        target.environment.vault.jwt_mount,
        target.nomad_jwks_url,
        namespace,
        optional=[job.name for job in JOBS if job.switch and job.on(target.environment)],
        check_only=check_only,
    )
    yield from consul_auth.steps(
        target.consul, target.nomad_jwks_url, namespace, check_only=check_only
    )
    yield from nomad.steps(target.nomad, namespace, target.tokens_dir, check_only=check_only)
    yield from nomad_clients.steps(target.nomad)
