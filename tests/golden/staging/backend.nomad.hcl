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
    min_healthy_time  = "30s"
    healthy_deadline  = "5m"
    progress_deadline = "10m"
    auto_revert       = true
    auto_promote      = false
  }

  group "backend" {
    count = 2

    # Leave Consul first and give the proxies time to notice, then stop.
    shutdown_delay = "10s"

    network {
      port "http" {
        to = 8000
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

    migrate {
      max_parallel     = 1
      health_check     = "checks"
      min_healthy_time = "30s"
      healthy_deadline = "5m"
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
        interval = "30s"
        timeout  = "10s"
      }

      # Alive: the process itself answers. Only this one restarts it.
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

    task "backend" {
      driver       = "docker"
      user         = "1000:1000"
      kill_signal  = "SIGTERM"
      kill_timeout = "30s"

      # The templates below follow a new token by themselves.
      vault {
        role         = "backend"
        change_mode  = "noop"
        env          = false
        disable_file = true
      }

      # Its token may read the emergency switch and tell that it was read.
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
        args            = ["-m", "app.server"]
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
{{ with secret "database/creds/backend" }}{{ .Data | toJSON }}{{ end }}
LOGIN
      }

      template {
        destination          = "${NOMAD_SECRETS_DIR}/app.json"
        change_mode          = "restart"
        splay                = "30s"
        perms                = "600"
        uid                  = 1000
        gid                  = 1000
        error_on_missing_key = true

        data = <<SECRETS
{{ with secret "kv/data/flowrex/backend" }}{{ .Data.data | toJSON }}{{ end }}
SECRETS
      }

      env {
        FLOWREX_AUDIT_DIR               = "${NOMAD_ALLOC_DIR}/audit"
        FLOWREX_CONSUL_ADDRESS          = "https://consul.staging.flowrex.app:8501"
        FLOWREX_CONSUL_TOKEN_FILE       = "${NOMAD_SECRETS_DIR}/consul_token"
        FLOWREX_DATABASE_CREDENTIALS    = "${NOMAD_SECRETS_DIR}/database.json"
        FLOWREX_DATABASE_HOST           = "postgres.service.consul"
        FLOWREX_DATABASE_NAME           = "flowrex"
        FLOWREX_DATABASE_POOL_SIZE      = "10"
        FLOWREX_DATABASE_PORT           = "5432"
        FLOWREX_DRAIN_SECONDS           = "5"
        FLOWREX_EMERGENCY_GRACE_SECONDS = "30"
        FLOWREX_ENVIRONMENT             = "staging"
        FLOWREX_GRACEFUL_SECONDS        = "20"
        FLOWREX_INSTANCE                = "${NOMAD_ALLOC_ID}"
        FLOWREX_LISTEN                  = "0.0.0.0:8000"
        FLOWREX_NODE                    = "${node.unique.name}"
        FLOWREX_REDIS_HOST              = "redis.service.consul"
        FLOWREX_REDIS_PORT              = "6379"
        FLOWREX_RELEASE                 = "0.1.0"
        FLOWREX_SECRETS                 = "${NOMAD_SECRETS_DIR}/app.json"
        FLOWREX_STATE_DIR               = "${NOMAD_ALLOC_DIR}/data/state"
        FLOWREX_WORKERS                 = "2"
        LOG_LEVEL                       = "debug"
        PROMETHEUS_MULTIPROC_DIR        = "${NOMAD_ALLOC_DIR}/metrics"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 1000
        memory     = 1024
        memory_max = 2048
      }
    }
  }
}
