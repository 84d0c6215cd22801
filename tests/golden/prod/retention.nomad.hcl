# Deletes the records of orders that were kept for long enough. Once at a time, whatever the schedule.
job "retention" {
  region      = "global"
  namespace   = "default"
  datacenters = ["dc1", "dc2"]
  node_pool   = "default"
  type        = "batch"

  meta {
    release = "0.1.0"
  }

  periodic {
    crons            = ["30 3 * * *"]
    time_zone        = "UTC"
    prohibit_overlap = true
  }

  group "retention" {
    # A run that is stopped ends after the batch that is under way; what is left is the next one's.
    restart {
      attempts = 1
      interval = "10m"
      delay    = "30s"
      mode     = "fail"
    }

    reschedule {
      attempts  = 0
      unlimited = false
    }

    task "retention" {
      driver       = "docker"
      user         = "1000:1000"
      kill_signal  = "SIGTERM"
      kill_timeout = "60s"

      vault {
        role         = "retention"
        change_mode  = "noop"
        env          = false
        disable_file = true
      }

      config {
        command         = "python3"
        args            = ["-m", "app.retention"]
        image           = "registry.flowrex.app/flowrex-app:0.1.0@sha256:0000000000000000000000000000000000000000000000000000000000000000"
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

      template {
        destination          = "${NOMAD_SECRETS_DIR}/database.json"
        change_mode          = "noop"
        perms                = "600"
        uid                  = 1000
        gid                  = 1000
        error_on_missing_key = true

        # A new login is written at once; Nomad's default would keep the ended one for 5s more.
        wait {
          min = "100ms"
          max = "500ms"
        }

        data = <<LOGIN
{{ with secret "database/creds/retention" }}{{ .Data | toJSON }}{{ end }}
LOGIN
      }
      env {
        FLOWREX_DATABASE_CREDENTIALS = "${NOMAD_SECRETS_DIR}/database.json"
        FLOWREX_DATABASE_HOST        = "postgres.service.consul"
        FLOWREX_DATABASE_NAME        = "flowrex"
        FLOWREX_DATABASE_PORT        = "5432"
        FLOWREX_ENVIRONMENT          = "prod"
        FLOWREX_RELEASE              = "0.1.0"
        FLOWREX_RETENTION_BATCH      = "1000"
        FLOWREX_RETENTION_DRY_RUN    = "false"
        FLOWREX_RETENTION_KEEP_DAYS  = "2557"
        LOG_LEVEL                    = "info"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 100
        memory     = 128
        memory_max = 256
      }
    }
  }
}
