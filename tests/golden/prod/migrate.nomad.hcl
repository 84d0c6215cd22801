# Brings the database's schema to this version. Runs once a version, and must succeed before
# anything that needs the new schema is started.
job "migrate" {
  region      = "global"
  namespace   = "default"
  datacenters = ["dc1", "dc2"]
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
      driver       = "docker"
      kill_timeout = "30s"

      vault {
        role         = "migrate"
        change_mode  = "noop"
        env          = false
        disable_file = true
      }

      config {
        image   = "registry.flowrex.app/flowrex-backend:0.1.0"
        command = "python"
        args    = ["-m", "app.migrate"]
        init    = true
      }

      template {
        destination          = "${NOMAD_SECRETS_DIR}/database.json"
        perms                = "600"
        change_mode          = "noop"
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
        FLOWREX_DATABASE_HOST        = "postgres.service.consul"
        FLOWREX_DATABASE_NAME        = "flowrex"
        FLOWREX_DATABASE_PORT        = "5432"
        FLOWREX_ENVIRONMENT          = "prod"
        FLOWREX_RELEASE              = "0.1.0"
        LOG_LEVEL                    = "info"
      }

      resources {
        cpu        = 500
        memory     = 256
        memory_max = 512
      }
    }
  }
}
