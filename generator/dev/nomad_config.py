"""Nomad's configuration file."""

from __future__ import annotations

from pathlib import Path

from flowrex.secret import Secret
from generator.dev.layout import DATACENTER, HOST, Layout, Node

# What the cloud fingerprints ask is not on this machine; without the list Nomad waits for them.
_CLOUDS = "env_aws,env_gce,env_azure,env_digitalocean"

# `exec` copies these from the host for each task; Nomad's own list takes minutes. The programs of
# nginx and of node-exporter are in it, and Debian's own Python, with the libraries that they load.
_LIBRARIES = (
    "c.so.6", "m.so.6", "pthread.so.0", "dl.so.2", "rt.so.1", "util.so.1", "resolv.so.2",
    "crypt.so.1", "pcre2-8.so.0", "ssl.so.3", "crypto.so.3", "z.so.1", "expat.so.1", "ffi.so.8",
    "bz2.so.1.0", "lzma.so.5", "gcc_s.so.1", "stdc++.so.6",
)  # fmt: skip
_CHROOT = (
    "/bin/sh",
    "/lib64/ld-linux-x86-64.so.2",
    *(f"/lib/x86_64-linux-gnu/lib{name}" for name in _LIBRARIES),
    "/etc/passwd",
    "/etc/group",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/ssl/certs",
    "/usr/bin/python3.11",
    "/usr/lib/python3.11",
    "/usr/sbin/nginx",
    "/usr/bin/prometheus-node-exporter",
)


def name(node: Node) -> str:
    """Return the name of a node's Nomad."""
    return f"nomad-{node.index}"


def settings(layout: Layout, node: Node, *, consul: Secret | None) -> str:
    """Return the configuration of a node's Nomad.

    Args:
        layout: the cluster.
        node: whose Nomad it is.
        consul: the token with which it registers services.
    """
    token = f'\n  token = "{consul.reveal()}"' if consul else ""
    return f"""\
# Written by `flowrexctl dev up`; changes are lost.
name       = "{node.name}"
region     = "global"
datacenter = "{DATACENTER}"
data_dir   = "{layout.data(name(node))}"
bind_addr  = "{HOST}"
log_level  = "INFO"

disable_update_check = true
leave_on_terminate   = false
leave_on_interrupt   = false

ports {{
  http = {node.nomad_http}
  rpc  = {node.nomad_rpc}
  serf = {node.nomad_serf}
}}

advertise {{
  http = "{HOST}:{node.nomad_http}"
  rpc  = "{HOST}:{node.nomad_rpc}"
  serf = "{HOST}:{node.nomad_serf}"
}}

acl {{
  enabled = true
}}

telemetry {{
  prometheus_metrics         = true
  publish_allocation_metrics = true
  publish_node_metrics       = true
  disable_hostname           = true
}}

limits {{
  http_max_conns_per_client = 2000
}}
{_server(layout, node)}
{_client(layout, node)}
plugin "raw_exec" {{
  config {{
    enabled = true
  }}
}}

plugin "docker" {{
  config {{{_docker(layout)}
    # An image that was built here and is nowhere else must outlive the tasks that ran it.
    gc {{
      image = false
    }}

    # node-exporter sees the machine's disks.
    volumes {{
      enabled = true
    }}
  }}
}}

vault {{
  enabled               = true
  address               = "{layout.vault_address}"
  jwt_auth_backend_path = "jwt-nomad"

  default_identity {{
    aud = ["vault.io"]
    ttl = "1h"
  }}
}}

consul {{
  address             = "{HOST}:{node.consul_http}"{token}
  service_auth_method = "nomad-workloads"
  task_auth_method    = "nomad-workloads"
  server_auto_join    = false
  client_auto_join    = false

  service_identity {{
    aud = ["consul.io"]
    ttl = "1h"
  }}

  task_identity {{
    aud = ["consul.io"]
    ttl = "1h"
  }}
}}
"""


def _docker(layout: Layout) -> str:
    return f'\n    endpoint = "{layout.docker}"\n' if layout.docker else ""


def _server(layout: Layout, node: Node) -> str:
    if not node.is_server:
        return ""
    begins = "\n  bootstrap_expect = 1" if node.is_first else ""
    others = [f"{HOST}:{one.nomad_serf}" for one in layout.servers if one != node]
    join = f"\n{_join(others)}" if others else ""
    return f"""
server {{
  enabled          = true{begins}
  raft_multiplier  = 1

  # A new leader does not know who was heard from last, and for this long takes every client to be
  # there. By default that is five minutes: a machine lost with the leader would outlast the
  # progress deadline of whatever was placed on it.
  failover_heartbeat_ttl = "20s"

  default_scheduler_config {{
    memory_oversubscription_enabled = true
  }}
{join}}}
"""


def _join(addresses: list[str]) -> str:
    quoted = ", ".join(f'"{one}"' for one in addresses)
    return f"""\
  server_join {{
    retry_join     = [{quoted}]
    retry_interval = "1s"
  }}
"""


def _client(layout: Layout, node: Node) -> str:
    first, last = node.dynamic
    # Nomad copies a link as it is; what it points at is not in the chroot.
    chroot = "\n".join(
        f'    "{Path(path).resolve()}" = "{path}"' for path in _CHROOT if Path(path).exists()
    )
    servers = [f"{HOST}:{one.nomad_rpc}" for one in layout.servers]
    join = "" if node.is_server else f"\n{_join(servers)}"
    return f"""\
client {{
  enabled           = true
  node_class        = "dev"
  network_interface = "lo"
  min_dynamic_port  = {first}
  max_dynamic_port  = {last}
  alloc_dir         = "{layout.allocations(node)}"
  alloc_mounts_dir  = "{layout.allocation_mounts(node)}"
  cgroup_parent     = "{layout.cgroup}"

  # Shares, not a limit: a small machine still takes every job's reservation.
  cpu_total_compute = 16000
{join}
  meta {{
    entry = "{"true" if node.is_first else "false"}"
  }}

  # By default a template gives up after twelve tries, within some five minutes, and Nomad kills its
  # task: whoever loses Consul or Vault for longer would lose all that runs as well. 0: never.
  template {{
    consul_retry {{
      attempts = 0
    }}

    vault_retry {{
      attempts = 0
    }}

    nomad_retry {{
      attempts = 0
    }}
  }}

  options = {{
    "fingerprint.denylist" = "{_CLOUDS}"
  }}

  chroot_env = {{
{chroot}
  }}
}}
"""
