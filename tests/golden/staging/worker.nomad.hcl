# Background work. The one that leads cancels orders and closes positions in an emergency; the others
# wait to take over.
job "worker" {
  region      = "global"
  namespace   = "default"
  datacenters = ["dc1"]
  node_pool   = "default"
  type        = "service"

  meta {
    release = "0.1.0"
  }

  spread {
    attribute = "${node.unique.id}"
  }

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

  group "worker" {
    count = 2

    network {
      port "http" {
        to = 8001
      }
    }

    restart {
      attempts = 3
      interval = "5m"
      delay    = "5s"
      mode     = "fail"
    }

    reschedule {
      delay          = "10s"
      delay_function = "exponential"
      max_delay      = "5m"
      unlimited      = true
    }

    # A node that is cut off must not act on while another has taken over.
    disconnect {
      stop_on_client_after = "1m"
    }

    service {
      name     = "worker"
      provider = "consul"
      port     = "http"
      tags     = ["release-0.1.0"]

      check {
        name     = "live"
        type     = "http"
        path     = "/health/live"
        interval = "30s"
        timeout  = "10s"

        check_restart {
          limit = 3
          grace = "40s"
        }
      }
    }

    task "worker" {
      driver       = "docker"
      user         = "1000:1000"
      kill_signal  = "SIGTERM"
      kill_timeout = "20s"

      # The template below follows a new token by itself.
      vault {
        role         = "worker"
        change_mode  = "noop"
        env          = false
        disable_file = true
      }

      # Its token may read the emergency switch, and take the lock of the worker that acts.
      consul {}

      template {
        destination          = "${NOMAD_SECRETS_DIR}/none.env"
        env                  = true
        change_mode          = "restart"
        perms                = "600"
        uid                  = 1000
        gid                  = 1000
        error_on_missing_key = true

        data = "CONSUL_TOKEN=\nCONSUL_HTTP_TOKEN=\n"
      }

      config {
        command         = "python3"
        args            = ["-m", "app.workers.emergency"]
        image           = "registry.flowrex.app/flowrex-app:0.1.0@sha256:0000000000000000000000000000000000000000000000000000000000000000"
        group_add       = ["0"]
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
{{ with secret "database/creds/worker" }}{{ .Data | toJSON }}{{ end }}
LOGIN
      }

      env {
        FLOWREX_AUDIT_DIR               = "${NOMAD_ALLOC_DIR}/audit"
        FLOWREX_CONSUL_ADDRESS          = "https://consul.staging.flowrex.app:8501"
        FLOWREX_CONSUL_TOKEN_FILE       = "${NOMAD_SECRETS_DIR}/consul_token"
        FLOWREX_DATABASE_CREDENTIALS    = "${NOMAD_SECRETS_DIR}/database.json"
        FLOWREX_DATABASE_HOST           = "postgres.service.consul"
        FLOWREX_DATABASE_NAME           = "flowrex"
        FLOWREX_DATABASE_POOL_SIZE      = "3"
        FLOWREX_DATABASE_PORT           = "5432"
        FLOWREX_EMERGENCY_GRACE_SECONDS = "30"
        FLOWREX_ENVIRONMENT             = "staging"
        FLOWREX_INSTANCE                = "${NOMAD_ALLOC_ID}"
        FLOWREX_LISTEN                  = "0.0.0.0:8001"
        FLOWREX_NODE                    = "${node.unique.name}"
        FLOWREX_RELEASE                 = "0.1.0"
        FLOWREX_STATE_DIR               = "${NOMAD_ALLOC_DIR}/data/state"
        LOG_LEVEL                       = "info"
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
