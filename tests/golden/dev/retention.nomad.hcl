# Deletes the records of orders that were kept for long enough. Once at a time, whatever the schedule.
job "retention" {
  region      = "global"
  namespace   = "default"
  datacenters = ["dc1"]
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
      driver       = "raw_exec"
      kill_signal  = "SIGTERM"
      kill_timeout = "60s"

      vault {
        role         = "retention"
        change_mode  = "noop"
        env          = false
        disable_file = true
      }

      artifact {
        source      = "http://127.0.0.1:20070/flowrex-artifacts/app/0.1.0/0000000000000000000000000000000000000000000000000000000000000000/flowrex-app-0.1.0.tar.gz"
        destination = "local/app"

        options {
          checksum = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
        }
      }

      config {
        command = "/usr/bin/python3"
        args    = ["-m", "app.retention"]
      }

      template {
        destination          = "${NOMAD_SECRETS_DIR}/database.json"
        change_mode          = "noop"
        perms                = "600"
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
        FLOWREX_DATABASE_HOST        = "127.0.0.1"
        FLOWREX_DATABASE_NAME        = "flowrex"
        FLOWREX_DATABASE_PORT        = "20032"
        FLOWREX_ENVIRONMENT          = "dev"
        FLOWREX_RELEASE              = "0.1.0"
        FLOWREX_RETENTION_BATCH      = "1000"
        FLOWREX_RETENTION_DRY_RUN    = "false"
        FLOWREX_RETENTION_KEEP_DAYS  = "2557"
        LOG_LEVEL                    = "info"
        PYTHONPATH                   = "${NOMAD_TASK_DIR}/app:${NOMAD_TASK_DIR}/app/site-packages"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 20
        memory     = 64
        memory_max = 256
      }
    }
  }
}
