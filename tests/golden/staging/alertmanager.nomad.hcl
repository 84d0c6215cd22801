# Tells people what Prometheus found.
job "alertmanager" {
  region      = "global"
  namespace   = "default"
  datacenters = ["dc1"]
  node_pool   = "default"
  type        = "service"

  update {
    canary            = 0
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "10s"
    healthy_deadline  = "5m"
    progress_deadline = "10m"
    auto_revert       = true
    auto_promote      = false
  }

  group "alertmanager" {
    count = 1

    # Silences, and what was told already, are taken over by the next one.
    ephemeral_disk {
      sticky  = true
      migrate = true
      size    = 200
    }

    network {
      port "http" {
        static = 9093
        to     = 9093
      }
    }

    # Again and again: what it looks at may be away for long.
    restart {
      attempts = 3
      interval = "5m"
      delay    = "5s"
      mode     = "delay"
    }

    service {
      name     = "alertmanager"
      provider = "consul"
      port     = "http"

      check {
        name     = "ready"
        type     = "http"
        path     = "/-/ready"
        interval = "30s"
        timeout  = "10s"
      }

      check {
        name     = "live"
        type     = "http"
        path     = "/-/healthy"
        interval = "30s"
        timeout  = "10s"

        check_restart {
          limit = 3
          grace = "40s"
        }
      }
    }

    task "alertmanager" {
      driver       = "docker"
      user         = "65534:65534"
      kill_signal  = "SIGTERM"
      kill_timeout = "10s"

      config {
        args = [
          "--config.file=${NOMAD_SECRETS_DIR}/alertmanager.yml",
          "--storage.path=${NOMAD_ALLOC_DIR}/data/alertmanager",
          "--cluster.listen-address=",
          "--web.listen-address=0.0.0.0:9093",
        ]

        image           = "prom/alertmanager:v0.25.0"
        ports           = ["http"]
        readonly_rootfs = true
        cap_drop        = ["all"]
        security_opt    = ["no-new-privileges"]
        pids_limit      = 256

        ulimit {
          nofile = "65536:65536"
        }

        mount {
          type   = "tmpfs"
          target = "/tmp"

          tmpfs_options {
            size = 16777216
            mode = 1023 # 1777, in octal
          }
        }
      }

      vault {
        role         = "alertmanager"
        change_mode  = "noop"
        env          = false
        disable_file = true
      }

      template {
        destination          = "${NOMAD_SECRETS_DIR}/alertmanager.yml"
        change_mode          = "signal"
        change_signal        = "SIGHUP"
        perms                = "600"
        uid                  = 65534
        gid                  = 65534
        error_on_missing_key = true

        data = <<ALERTMANAGER
# Who is told what is wrong, and how often. The levels are those of docs/incident-response.md.
#
# Rendered by Nomad inside the job alertmanager, or by consul-template with the same variables set:
# FLOWREX_ALERTMANAGER_* as jobs/alertmanager.nomad.hcl.j2 names them. Without receivers it is valid
# all the same: alerts are on its page, and nobody is told.
{{- $webhook := env "FLOWREX_ALERTMANAGER_WEBHOOK" }}
{{- $email := env "FLOWREX_ALERTMANAGER_EMAIL_TO" }}
{{- $username := env "FLOWREX_ALERTMANAGER_SMTP_USERNAME" }}
{{- $secret := env "FLOWREX_ALERTMANAGER_SECRET" }}
{{- if $email }}
global:
  smtp_smarthost: {{ env "FLOWREX_ALERTMANAGER_SMTP" | toJSON }}
  smtp_from: {{ env "FLOWREX_ALERTMANAGER_EMAIL_FROM" | toJSON }}
  smtp_require_tls: true
{{- if $username }}
  smtp_auth_username: {{ $username | toJSON }}
  smtp_auth_password: {{ with secret $secret }}{{ .Data.data.smtp_password | toJSON }}{{ end }}
{{- end }}
{{- end }}
route:
  receiver: people
  group_by: [alertname, level]
  group_wait: 15s
  group_interval: 5m
  # Again and again while it lasts, as soon as its level wants somebody to act.
  repeat_interval: 24h
  routes:
    - matchers: [level="none"]
      receiver: nobody
    - matchers: [level="P0"]
      group_wait: 0s
      group_interval: 1m
      repeat_interval: 5m
    - matchers: [level="P1"]
      repeat_interval: 15m
    - matchers: [level="P2"]
      repeat_interval: 1h
inhibit_rules:
  # An instance that is down makes nothing else that is told of it worth a message.
  - source_matchers: [alertname="TargetDown"]
    target_matchers: [alertname!="TargetDown"]
    equal: [job, instance]
receivers:
  - name: nobody
  - name: people
{{- if eq $webhook "true" }}
    webhook_configs:
      - url: {{ with secret $secret }}{{ .Data.data.webhook_url | toJSON }}{{ end }}
        send_resolved: true
{{- end }}
{{- if $email }}
    email_configs:
      - to: {{ $email | toJSON }}
        send_resolved: true
{{- end }}
ALERTMANAGER
      }

      env {
        FLOWREX_ALERTMANAGER_EMAIL_FROM    = ""
        FLOWREX_ALERTMANAGER_EMAIL_TO      = ""
        FLOWREX_ALERTMANAGER_SECRET        = "kv/data/flowrex/alertmanager"
        FLOWREX_ALERTMANAGER_SMTP          = ""
        FLOWREX_ALERTMANAGER_SMTP_USERNAME = ""
        FLOWREX_ALERTMANAGER_WEBHOOK       = "true"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 100
        memory     = 64
        memory_max = 256
      }
    }
  }
}
