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
    min_healthy_time  = "10s"
    healthy_deadline  = "5m"
    progress_deadline = "10m"
    auto_revert       = true
    auto_promote      = false
  }

  group "redis-exporter" {
    count = 1

    network {
      port "http" {
        to = 9121
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
      name     = "redis-exporter"
      provider = "consul"
      port     = "http"

      check {
        name     = "live"
        type     = "http"
        path     = "/health"
        interval = "30s"
        timeout  = "10s"

        check_restart {
          limit = 3
          grace = "40s"
        }
      }
    }

    task "redis-exporter" {
      driver       = "docker"
      user         = "65534:65534"
      kill_signal  = "SIGTERM"
      kill_timeout = "10s"

      config {
        args = [
          "--config-command=-",
          "--web.listen-address=0.0.0.0:9121",
        ]

        image           = "oliver006/redis_exporter:v1.45.0"
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
        REDIS_ADDR = "redis://redis.service.consul:6379"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 100
        memory     = 64
        memory_max = 128
      }
    }
  }
}
