# The API. A new version runs as a canary beside the old one until somebody promotes it.
job "backend" {
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
    canary            = 1
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "2s"
    healthy_deadline  = "60s"
    progress_deadline = "90s"
    auto_revert       = true
    auto_promote      = false
  }

  group "backend" {
    count = 2

    # Leave Consul first and give the proxies time to notice, then stop.
    shutdown_delay = "3s"

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

    migrate {
      max_parallel     = 1
      health_check     = "checks"
      min_healthy_time = "2s"
      healthy_deadline = "60s"
    }

    service {
      name        = "backend"
      provider    = "consul"
      port        = "http"
      tags        = ["release-0.1.0"]
      canary_tags = ["release-0.1.0", "canary"]

      # Ready: its database and its cache answer. Only ready instances get requests.
      check {
        name     = "ready"
        type     = "http"
        path     = "/health/ready"
        interval = "1s"
        timeout  = "3s"
      }

      # Alive: the process itself answers. Only this one restarts it.
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

    task "backend" {
      driver       = "raw_exec"
      kill_signal  = "SIGTERM"
      kill_timeout = "16s"

      # The templates below follow a new token by themselves.
      vault {
        role         = "backend"
        change_mode  = "noop"
        env          = false
        disable_file = true
      }

      # Its token may read the emergency switch and tell that it was read.
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
        args    = ["-m", "app.server"]
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
{{ with secret "database/creds/backend" }}{{ .Data | toJSON }}{{ end }}
LOGIN
      }

      template {
        destination          = "${NOMAD_SECRETS_DIR}/app.json"
        change_mode          = "restart"
        splay                = "30s"
        perms                = "600"
        error_on_missing_key = true

        data = <<SECRETS
{{ with secret "kv/data/flowrex/backend" }}{{ .Data.data | toJSON }}{{ end }}
SECRETS
      }

      env {
        FLOWREX_AUDIT_DIR               = "${NOMAD_ALLOC_DIR}/audit"
        FLOWREX_CONSUL_ADDRESS          = "http://127.0.0.1:20050"
        FLOWREX_CONSUL_TOKEN_FILE       = "${NOMAD_SECRETS_DIR}/consul_token"
        FLOWREX_DATABASE_CREDENTIALS    = "${NOMAD_SECRETS_DIR}/database.json"
        FLOWREX_DATABASE_HOST           = "127.0.0.1"
        FLOWREX_DATABASE_NAME           = "flowrex"
        FLOWREX_DATABASE_POOL_SIZE      = "5"
        FLOWREX_DATABASE_PORT           = "20032"
        FLOWREX_DRAIN_SECONDS           = "1"
        FLOWREX_EMERGENCY_GRACE_SECONDS = "15"
        FLOWREX_ENVIRONMENT             = "dev"
        FLOWREX_GRACEFUL_SECONDS        = "10"
        FLOWREX_INSTANCE                = "${NOMAD_ALLOC_ID}"
        FLOWREX_LISTEN                  = "${NOMAD_IP_http}:${NOMAD_PORT_http}"
        FLOWREX_NODE                    = "${node.unique.name}"
        FLOWREX_REDIS_HOST              = "127.0.0.1"
        FLOWREX_REDIS_PORT              = "20079"
        FLOWREX_RELEASE                 = "0.1.0"
        FLOWREX_SECRETS                 = "${NOMAD_SECRETS_DIR}/app.json"
        FLOWREX_STATE_DIR               = "${NOMAD_ALLOC_DIR}/data/state"
        FLOWREX_WORKERS                 = "2"
        LOG_LEVEL                       = "info"
        PROMETHEUS_MULTIPROC_DIR        = "${NOMAD_ALLOC_DIR}/metrics"
        PYTHONPATH                      = "${NOMAD_TASK_DIR}/app:${NOMAD_TASK_DIR}/app/site-packages"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 200
        memory     = 256
        memory_max = 512
      }
    }
  }
}
