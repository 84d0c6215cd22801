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
    min_healthy_time  = "1s"
    healthy_deadline  = "60s"
    progress_deadline = "90s"
    auto_revert       = true
    auto_promote      = false
  }

  group "worker" {
    count = 2

    network {
      port "http" {}
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
        interval = "1s"
        timeout  = "3s"

        check_restart {
          limit = 3
          grace = "30s"
        }
      }
    }

    task "worker" {
      driver       = "raw_exec"
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

      artifact {
        source      = "http://127.0.0.1:20070/flowrex-artifacts/app/0.1.0/0000000000000000000000000000000000000000000000000000000000000000/flowrex-app-0.1.0.tar.gz"
        destination = "local/app"

        options {
          checksum = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
        }
      }

      config {
        command = "/usr/bin/python3"
        args    = ["-m", "app.workers.emergency"]
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
{{ with secret "database/creds/worker" }}{{ .Data | toJSON }}{{ end }}
LOGIN
      }

      env {
        FLOWREX_AUDIT_DIR               = "${NOMAD_ALLOC_DIR}/audit"
        FLOWREX_CONSUL_ADDRESS          = "http://127.0.0.1:20050"
        FLOWREX_CONSUL_TOKEN_FILE       = "${NOMAD_SECRETS_DIR}/consul_token"
        FLOWREX_DATABASE_CREDENTIALS    = "${NOMAD_SECRETS_DIR}/database.json"
        FLOWREX_DATABASE_HOST           = "127.0.0.1"
        FLOWREX_DATABASE_NAME           = "flowrex"
        FLOWREX_DATABASE_POOL_SIZE      = "2"
        FLOWREX_DATABASE_PORT           = "20032"
        FLOWREX_EMERGENCY_GRACE_SECONDS = "15"
        FLOWREX_ENVIRONMENT             = "dev"
        FLOWREX_INSTANCE                = "${NOMAD_ALLOC_ID}"
        FLOWREX_LISTEN                  = "${NOMAD_IP_http}:${NOMAD_PORT_http}"
        FLOWREX_NODE                    = "${node.unique.name}"
        FLOWREX_RELEASE                 = "0.1.0"
        FLOWREX_STATE_DIR               = "${NOMAD_ALLOC_DIR}/data/state"
        LOG_LEVEL                       = "info"
        PYTHONPATH                      = "${NOMAD_TASK_DIR}/app:${NOMAD_TASK_DIR}/app/site-packages"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 100
        memory     = 96
        memory_max = 256
      }
    }
  }
}
