# PostgreSQL, seen by a login that may look at its statistics and at no row.
job "postgres-exporter" {
  region      = "global"
  namespace   = "default"
  datacenters = ["dc1", "dc2"]
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

  group "postgres-exporter" {
    count = 1

    network {
      port "http" {
        to = 9187
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
      name     = "postgres-exporter"
      provider = "consul"
      port     = "http"

      check {
        name     = "live"
        type     = "http"
        path     = "/"
        interval = "30s"
        timeout  = "10s"

        check_restart {
          limit = 3
          grace = "40s"
        }
      }
    }

    task "postgres-exporter" {
      driver       = "docker"
      user         = "65534:65534"
      kill_signal  = "SIGTERM"
      kill_timeout = "10s"

      config {
        args = [
          "--web.listen-address=0.0.0.0:9187",
        ]

        image           = "prometheuscommunity/postgres-exporter:v0.11.1"
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
        role         = "postgres-exporter"
        change_mode  = "noop"
        env          = false
        disable_file = true
      }

      template {
        destination          = "${NOMAD_SECRETS_DIR}/username"
        change_mode          = "restart"
        perms                = "600"
        uid                  = 65534
        gid                  = 65534
        error_on_missing_key = true

        data = <<LOGIN
{{ with secret "database/creds/monitor" }}{{ .Data.username }}{{ end }}
LOGIN
      }

      template {
        destination          = "${NOMAD_SECRETS_DIR}/password"
        change_mode          = "restart"
        perms                = "600"
        uid                  = 65534
        gid                  = 65534
        error_on_missing_key = true

        data = <<LOGIN
{{ with secret "database/creds/monitor" }}{{ .Data.password }}{{ end }}
LOGIN
      }

      env {
        DATA_SOURCE_PASS_FILE = "${NOMAD_SECRETS_DIR}/password"
        DATA_SOURCE_URI       = "postgres.service.consul:5432/postgres?sslmode=verify-full"
        DATA_SOURCE_USER_FILE = "${NOMAD_SECRETS_DIR}/username"
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
