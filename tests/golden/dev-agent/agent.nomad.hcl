# flowrex-agent on nodes that have no systemd; docs/agent.md. Elsewhere it is a unit, which does more.
job "agent" {
  region      = "global"
  namespace   = "default"
  datacenters = ["dc1"]
  node_pool   = "default"
  type        = "system"

  meta {
    release = "0.1.0"
  }

  # A node that has the unit must not get a second agent of the same name.
  constraint {
    attribute = "${meta.agent}"
    value     = "job"
  }

  update {
    canary            = 0
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "2s"
    healthy_deadline  = "60s"
    progress_deadline = "90s"
    auto_revert       = true
    auto_promote      = false
  }

  group "agent" {
    network {
      port "http" {
        static = 20078
      }
    }

    # As the unit does: again and again, a few seconds later.
    restart {
      attempts = 6
      interval = "5m"
      delay    = "5s"
      mode     = "delay"
    }

    service {
      name     = "agent"
      provider = "consul"
      port     = "http"
      tags     = ["release-0.1.0"]

      # The agent listens on loopback, and who checks it is the node's own Consul agent.
      address = "127.0.0.1"

      check {
        name     = "health"
        type     = "http"
        path     = "/health"
        interval = "1s"
        timeout  = "3s"
      }

      # In the place of systemd's watchdog: it fails while one of the agent's tasks is stuck.
      check {
        name     = "live"
        type     = "http"
        path     = "/live"
        interval = "1s"
        timeout  = "3s"

        check_restart {
          limit = 4
          grace = "30s"
        }
      }
    }

    task "agent" {
      # What it works with is the host's: the allocation folders, pg_dump, pgBackRest, the hooks.
      driver      = "raw_exec"
      kill_signal = "SIGTERM"

      # Longer than tasks.stop_within below. Nomad's clients cut it at their max_kill_timeout.
      kill_timeout = "30s"

      # What it logs in to Vault with: the role that is bound to this job. All else is in Vault.
      identity {
        name        = "vault"
        aud         = ["vault.io"]
        file        = true
        filepath    = "secrets/vault-jwt"
        ttl         = "1h"
        change_mode = "noop"
      }

      artifact {
        source      = "http://127.0.0.1:20070/flowrex-artifacts/agent/0.1.0/0000000000000000000000000000000000000000000000000000000000000000/flowrex-agent-0.1.0.tar.gz"
        destination = "local/agent"

        options {
          checksum = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
        }
      }

      config {
        command = "/bin/sh"
        args    = ["-eu", "${NOMAD_TASK_DIR}/start", "nobody", "/var/lib/flowrex-agent", "/usr/bin/python3"]
      }

      template {
        destination          = "${NOMAD_TASK_DIR}/start"
        perms                = "600"
        change_mode          = "restart"
        error_on_missing_key = true

        # Root for a moment, then a user of its own with one capability, as the unit has it: to read
        # the allocation folders, which belong to root. Nothing can be written with it.
        data = <<START
umask 077
group=$(id -g "$1")
install -d -m 0700 -o "$1" -g "$group" "$2"
exec setpriv --reuid="$1" --regid="$group" --init-groups --no-new-privs \
  --bounding-set=-all,+dac_read_search \
  --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search \
  "$3" -IB "$NOMAD_TASK_DIR/agent/opt/flowrex-agent/bin/flowrex-agent" \
  run --config "$NOMAD_TASK_DIR/agent.yaml"
START
      }

      template {
        destination          = "${NOMAD_TASK_DIR}/agent.yaml"
        perms                = "600"
        change_mode          = "restart"
        splay                = "30s"
        error_on_missing_key = true

        data = <<AGENT
node: '{{ env "node.unique.name" }}'
environment: dev
state_dir: /var/lib/flowrex-agent
consul:
  address: http://127.0.0.1:20050
vault:
  address: http://127.0.0.1:20082
  login: jwt
  login_mount: jwt-nomad
  role: agent
  kv_mount: kv
s3:
  endpoint: http://127.0.0.1:20070
  region: us-east-1
  backups_bucket: flowrex-backups
  logs_bucket: flowrex-logs
http:
  port: 20078
tasks:
  stop_within: 25s
audit:
  sources:
    trading: /opt/nomad/data/alloc/*/alloc/audit/*.jsonl*
AGENT
      }

      env {
        FLOWREX_AGENT_CREDENTIALS_DIR = "${NOMAD_SECRETS_DIR}"
        MALLOC_ARENA_MAX              = "2"
        MALLOC_MMAP_THRESHOLD_        = "262144"
        MALLOC_TRIM_THRESHOLD_        = "262144"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 200
        memory     = 128
        memory_max = 512
      }
    }
  }
}
