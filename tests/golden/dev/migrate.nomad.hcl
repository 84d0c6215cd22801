# Brings the database's schema to this version. Runs once a version, and must succeed before
# anything that needs the new schema is started.
job "migrate" {
  region      = "global"
  namespace   = "default"
  datacenters = ["dc1"]
  node_pool   = "default"
  type        = "batch"

  meta {
    release = "0.1.0"
  }

  group "migrate" {
    restart {
      attempts = 2
      interval = "5m"
      delay    = "5s"
      mode     = "fail"
    }

    # A schema change that failed is looked at by a person, not tried on another node.
    reschedule {
      attempts  = 0
      unlimited = false
    }

    task "migrate" {
      driver       = "raw_exec"
      kill_timeout = "30s"

      vault {
        role         = "migrate"
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
        args    = ["-m", "app.migrate"]
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
{{ with secret "database/creds/migrate" }}{{ .Data | toJSON }}{{ end }}
LOGIN
      }
      env {
        FLOWREX_DATABASE_CREDENTIALS = "${NOMAD_SECRETS_DIR}/database.json"
        FLOWREX_DATABASE_HOST        = "127.0.0.1"
        FLOWREX_DATABASE_NAME        = "flowrex"
        FLOWREX_DATABASE_PORT        = "20032"
        FLOWREX_ENVIRONMENT          = "dev"
        FLOWREX_RELEASE              = "0.1.0"
        LOG_LEVEL                    = "info"
        PYTHONPATH                   = "${NOMAD_TASK_DIR}/app:${NOMAD_TASK_DIR}/app/site-packages"
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
