# Redis, seen by a user that may ask how it is and read no key.
job "redis-exporter" {
  region      = "global"
  namespace   = "default"
  datacenters = ["dc1"]
  node_pool   = "default"
  type        = "service"

  update {
    canary            = 0
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "1s"
    healthy_deadline  = "60s"
    progress_deadline = "90s"
    auto_revert       = true
    auto_promote      = false
  }

  group "redis-exporter" {
    count = 1

    network {
      port "http" {}
    }

    # Again and again: what it looks at may be away for long.
    restart {
      attempts = 3
      interval = "5m"
      delay    = "5s"
      mode     = "delay"
    }

    service {
      name     = "redis-exporter"
      provider = "consul"
      port     = "http"

      check {
        name     = "live"
        type     = "http"
        path     = "/health"
        interval = "1s"
        timeout  = "3s"

        check_restart {
          limit = 3
          grace = "30s"
        }
      }
    }

    task "redis-exporter" {
      driver       = "raw_exec"
      user         = "nobody"
      kill_signal  = "SIGTERM"
      kill_timeout = "10s"

      config {
        command = "/usr/bin/prometheus-redis-exporter"

        args = [
          "--config-command=-",
          "--web.listen-address=${NOMAD_IP_http}:${NOMAD_PORT_http}",
        ]
      }

      vault {
        role         = "redis-exporter"
        change_mode  = "noop"
        env          = false
        disable_file = true
      }

      template {
        destination          = "${NOMAD_SECRETS_DIR}/login.env"
        env                  = true
        change_mode          = "restart"
        perms                = "600"
        uid                  = 65534
        gid                  = 65534
        error_on_missing_key = true

        data = <<LOGIN
{{ with secret "kv/data/flowrex/redis-exporter" }}REDIS_USER={{ .Data.data.username | toJSON }}
REDIS_PASSWORD={{ .Data.data.password | toJSON }}
{{ end }}
LOGIN
      }

      env {
        REDIS_ADDR = "redis://127.0.0.1:20079"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 20
        memory     = 32
        memory_max = 128
      }
    }
  }
}
