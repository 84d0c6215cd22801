"""What the job `agent` says to flowrex-agent: its configuration."""

from __future__ import annotations

from typing import Any

import yaml

from flowrex.errors import RenderError
from flowrex.settings.source import refuse_excess
from generator.environment.model import Environment

# The role of Vault's login for workload identities, which is bound to the job of the same name.
ROLE = "agent"


def configuration(environment: Environment) -> str:
    """Return the agent's configuration file, in Nomad's template language.

    Args:
        environment: where the servers are, and what `agent.settings` lays over that.

    Raises:
        RenderError: `agent.settings` is no YAML, or no settings by name.
        ConfigurationError: it is nested too deep, or stands for too much.
    """
    return yaml.safe_dump(_laid_over(_own(environment), _more(environment)), sort_keys=False)


def _own(environment: Environment) -> dict[str, Any]:
    agent, vault, s3 = environment.agent, environment.vault, environment.s3
    return {
        "node": '{{ env "node.unique.name" }}',
        "environment": environment.name,
        "state_dir": agent.state_dir,
        "consul": {"address": agent.consul},
        "vault": {
            "address": environment.servers.vault,
            "login": "jwt",
            "login_mount": vault.jwt_mount,
            "role": ROLE,
            "kv_mount": vault.kv_mount,
        },
        "s3": {
            "endpoint": s3.endpoint,
            "region": s3.region,
            "backups_bucket": s3.backups_bucket,
            "logs_bucket": s3.logs_bucket,
        },
        "http": {"port": agent.port},
        "tasks": {"stop_within": f"{agent.stop_seconds}s"},
        "audit": {"sources": {"trading": f"{agent.allocations_dir}/*/alloc/audit/*.jsonl*"}},
    }


def _more(environment: Environment) -> dict[str, Any]:
    try:
        refuse_excess(environment.agent.settings, "agent.settings")
        more = yaml.safe_load(environment.agent.settings) or {}
    except yaml.YAMLError as error:
        raise RenderError(f"agent.settings is not valid YAML: {error}") from error
    if not isinstance(more, dict):
        raise RenderError("agent.settings holds no settings by name (`backup:` …)")
    return more


def _laid_over(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    merged = dict(lower)
    for name, value in upper.items():
        below = merged.get(name)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[name] = _laid_over(merged[name], value) if both else value
    return merged
