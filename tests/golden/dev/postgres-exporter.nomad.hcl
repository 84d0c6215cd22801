# PostgreSQL, seen by a login that may look at its statistics and at no row.
job "postgres-exporter" {
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

  group "postgres-exporter" {
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
      name     = "postgres-exporter"
      provider = "consul"
      port     = "http"

      check {
        name     = "live"
        type     = "http"
        path     = "/"
        interval = "1s"
        timeout  = "3s"

        check_restart {
          limit = 3
          grace = "30s"
        }
      }
    }

    task "postgres-exporter" {
      driver       = "raw_exec"
      user         = "nobody"
      kill_signal  = "SIGTERM"
      kill_timeout = "10s"

      config {
        command = "/usr/bin/prometheus-postgres-exporter"

        args = [
          "--web.listen-address=${NOMAD_IP_http}:${NOMAD_PORT_http}",
        ]
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
        DATA_SOURCE_URI       = "127.0.0.1:20032/postgres?sslmode=disable"
        DATA_SOURCE_USER_FILE = "${NOMAD_SECRETS_DIR}/username"
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
