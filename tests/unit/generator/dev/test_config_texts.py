"""The servers' configurations: what they promise, and what they must never hold."""

import re
from io import StringIO
from pathlib import Path
from typing import Any

import hcl2
import pytest

from flowrex.secret import Secret
from generator.dev import consul, nomad_config, postgres_settings, redis, vault
from generator.dev.layout import Layout

LAYOUT = Layout(Path("/state"), 20000, 2)
FIRST, SECOND = LAYOUT.nodes
TOKEN = Secret("the-token")


def nomad_settings(node: Any, token: Secret | None = TOKEN) -> dict[str, Any]:
    document: dict[str, Any] = hcl2.load(
        StringIO(nomad_config.settings(LAYOUT, node, consul=token))
    )
    return document


def test_consul_denies_what_no_policy_allows() -> None:
    for node in LAYOUT.nodes:
        acl = consul.settings(LAYOUT, node, management=TOKEN, agent=None)["acl"]
        assert acl["enabled"] is True
        assert acl["default_policy"] == "deny"


def test_only_consuls_server_is_told_the_management_token() -> None:
    server = consul.settings(LAYOUT, FIRST, management=TOKEN, agent=None)
    client = consul.settings(LAYOUT, SECOND, management=TOKEN, agent=Secret("agent"))
    assert server["acl"]["tokens"] == {"initial_management": "the-token"}
    assert client["acl"]["tokens"] == {"agent": "agent"}


def test_consuls_further_node_joins_the_first_as_a_client() -> None:
    document = consul.settings(LAYOUT, SECOND, management=None, agent=None)
    assert "server" not in document
    assert document["retry_join"] == ["127.0.0.1:20052"]
    assert document["ports"]["http"] == 20150


def test_consuls_further_servers_join_the_others() -> None:
    layout = Layout(LAYOUT.root, LAYOUT.base, 3, 3)
    first, second, _ = (
        consul.settings(layout, node, management=None, agent=None) for node in layout.nodes
    )
    assert (first["bootstrap_expect"], first["leave_on_terminate"]) == (1, False)
    assert "bootstrap_expect" not in second
    assert (second["server"], second["leave_on_terminate"]) == (True, True)
    assert second["retry_join"] == ["127.0.0.1:20052", "127.0.0.1:20252"]


def test_nomads_further_servers_join_the_others() -> None:
    layout = Layout(LAYOUT.root, LAYOUT.base, 3, 3)
    text = nomad_config.settings(layout, layout.nodes[1], consul=None)
    assert re.search(r"^server \{", text, re.M)
    assert "bootstrap_expect" not in text
    assert '["127.0.0.1:20048", "127.0.0.1:20248"]' in text
    assert 'entry = "false"' in text


def test_a_new_leader_soon_sees_that_a_machine_was_lost_with_the_old_one() -> None:
    # dev's deployments must make progress within 90 s; a node is down 10 s after the time to live.
    assert '\n  failover_heartbeat_ttl = "20s"\n' in nomad_config.settings(
        LAYOUT, FIRST, consul=None
    )


def test_no_template_gives_up_and_takes_its_task_along() -> None:
    text = nomad_config.settings(LAYOUT, FIRST, consul=None)
    for server in ("consul", "vault", "nomad"):
        assert re.search(rf"{server}_retry {{\s*attempts = 0\s*}}", text)


def test_vault_listens_on_loopback_and_loads_plugins_only_where_it_must() -> None:
    document = vault.settings(LAYOUT, None)
    assert document["listener"]["tcp"]["address"] == "127.0.0.1:20082"
    assert "plugin_directory" not in document
    assert vault.settings(LAYOUT, Path("/p"))["plugin_directory"] == "/p"


def test_nomads_first_node_is_server_and_client_and_the_entry() -> None:
    text = nomad_config.settings(LAYOUT, FIRST, consul=None)
    assert re.search(r"^server \{", text, re.M)
    assert 'entry = "true"' in text
    assert "server_join" not in text


def test_nomads_further_node_joins_the_first_as_a_client() -> None:
    text = nomad_config.settings(LAYOUT, SECOND, consul=None)
    assert not re.search(r"^server \{", text, re.M)
    assert 'entry = "false"' in text
    assert '["127.0.0.1:20047"]' in text
    assert "min_dynamic_port  = 21300" in text
    assert '"127.0.0.1:20150"' in text  # the Consul beside it, not the first node's


@pytest.mark.parametrize("node", LAYOUT.nodes)
def test_nomads_configuration_is_hcl_with_acls_and_identities_on(node: Any) -> None:
    document = nomad_settings(node)
    assert document["acl"][0]["enabled"] is True
    assert "vault.io" in str(document["vault"])
    assert str(document["consul"]).count("consul.io") == 2


def test_the_chroot_is_made_from_no_link_which_would_point_at_nothing_in_it() -> None:
    chroot = re.search(
        r"chroot_env = {(.*?)}", nomad_config.settings(LAYOUT, FIRST, consul=None), re.S
    )
    assert chroot
    sources = [Path(name) for name in re.findall(r'"([^"]+)" =', chroot[1])]
    assert sources
    assert not [one for one in sources if one.is_symlink()]


def test_nomad_asks_no_cloud_about_itself() -> None:
    assert "env_aws,env_gce,env_azure,env_digitalocean" in nomad_config.settings(
        LAYOUT, FIRST, consul=None
    )


def test_nomad_finds_what_runs_containers_where_it_was_named() -> None:
    named = Layout(Path("/state"), 20000, docker="unix:///run/x.sock")
    text = nomad_config.settings(named, named.nodes[0], consul=None)
    assert 'endpoint = "unix:///run/x.sock"' in text
    assert "endpoint" not in nomad_config.settings(LAYOUT, FIRST, consul=None)


def test_a_nomad_without_a_token_is_the_same_but_for_that_line() -> None:
    with_token = nomad_config.settings(LAYOUT, FIRST, consul=TOKEN)
    without = nomad_config.settings(LAYOUT, FIRST, consul=None)
    assert without == with_token.replace('\n  token = "the-token"', "")


def test_redis_lets_nobody_in_without_a_name_and_keeps_no_password() -> None:
    text = redis.users(("flowrex", Secret("pass-one")), Secret("pass-two"), Secret("pass-three"))
    assert text.splitlines()[0] == "user default off"
    assert "pass-one" not in text
    assert "pass-two" not in text
    assert re.search(r"^user flowrex on #[0-9a-f]{64} ", text, re.M)
    assert "-@admin -@dangerous" in text


def test_redis_shows_its_exporter_how_it_is_and_neither_keys_nor_passwords() -> None:
    secrets = (Secret("pass-two"), Secret("pass-three"), ("watcher", Secret("pass-four")))
    text = redis.users(("flowrex", Secret("pass-one")), *secrets)
    (line,) = [one for one in text.splitlines() if one.startswith("user watcher ")]
    assert "pass-four" not in text
    assert "~" not in line
    assert "&" not in line
    assert not re.search(r"\+@|\+config|\+get |\+acl|allkeys", line)


def test_redis_keeps_snapshots_and_the_append_only_file() -> None:
    lines = redis.settings(LAYOUT).splitlines()
    assert "appendonly yes" in lines
    assert any(line.startswith("save ") for line in lines)
    assert "bind 127.0.0.1" in lines


def test_postgres_keeps_what_it_was_told() -> None:
    text = postgres_settings.settings("postgres", 20032)
    assert "wal_level = replica" in text
    assert "fsync" not in text  # never switched off
    assert "full_page_writes" not in text
    assert "primary_conninfo" not in text


def test_the_primary_archives_and_never_calls_a_failure_a_success() -> None:
    text = postgres_settings.primary_settings(LAYOUT)
    command = next(line for line in text.splitlines() if line.startswith("archive_command"))
    assert "archive_mode = on" in text
    assert command.endswith("archive-push %p'")
    assert "||" not in command
    assert f"unix_socket_directories = '{LAYOUT.data('postgres')}'" in text


def test_the_replica_archives_nothing() -> None:
    assert "archive_mode" not in postgres_settings.settings(
        "postgres-replica", 20033, primary="host=x"
    )


def test_where_the_socket_has_no_place_nothing_is_archived() -> None:
    deep = Layout(Path("/" + "x" * 100), 20000)
    assert postgres_settings.socket_dir(deep) is None
    assert "archive_command" not in postgres_settings.primary_settings(deep)
    assert "unix_socket_directories = ''" in postgres_settings.primary_settings(deep)


def test_the_replica_names_its_primary() -> None:
    text = postgres_settings.settings(
        "postgres-replica", 20033, primary="host=127.0.0.1 port=20032"
    )
    assert "primary_conninfo = 'host=127.0.0.1 port=20032'" in text
    assert "port = 20033" in text
