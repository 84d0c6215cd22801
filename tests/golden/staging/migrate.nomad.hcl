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
      driver       = "docker"
      user         = "1000:1000"
      kill_timeout = "30s"

      vault {
        role         = "migrate"
        change_mode  = "noop"
        env          = false
        disable_file = true
      }

      config {
        command         = "python3"
        args            = ["-m", "app.migrate"]
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
{{ with secret "database/creds/migrate" }}{{ .Data | toJSON }}{{ end }}
LOGIN
      }
      env {
        FLOWREX_DATABASE_CREDENTIALS = "${NOMAD_SECRETS_DIR}/database.json"
        FLOWREX_DATABASE_HOST        = "postgres.service.consul"
        FLOWREX_DATABASE_NAME        = "flowrex"
        FLOWREX_DATABASE_PORT        = "5432"
        FLOWREX_ENVIRONMENT          = "staging"
        FLOWREX_RELEASE              = "0.1.0"
        LOG_LEVEL                    = "info"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 500
        memory     = 256
        memory_max = 512
      }
    }
  }
}
