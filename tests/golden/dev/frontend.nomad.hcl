# The web pages. A new version runs as a canary beside the old one until somebody promotes it.
job "frontend" {
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
    min_healthy_time  = "1s"
    healthy_deadline  = "60s"
    progress_deadline = "90s"
    auto_revert       = true
    auto_promote      = false
  }

  group "frontend" {
    count = 1

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
      min_healthy_time = "1s"
      healthy_deadline = "60s"
    }

    service {
      name        = "frontend"
      provider    = "consul"
      port        = "http"
      tags        = ["release-0.1.0"]
      canary_tags = ["release-0.1.0", "canary"]

      # Ready: not about to stop. Without the API it has pages that say so.
      check {
        name     = "ready"
        type     = "http"
        path     = "/api/health/ready"
        interval = "1s"
        timeout  = "3s"
      }

      # Alive: the process itself answers. Only this one restarts it.
      check {
        name     = "live"
        type     = "http"
        path     = "/api/health"
        interval = "1s"
        timeout  = "3s"

        check_restart {
          limit = 3
          grace = "30s"
        }
      }
    }

    # It has no login to Vault and no token for Consul: it asks the API, as everybody may.
    task "frontend" {
      driver       = "raw_exec"
      user         = "nobody"
      kill_signal  = "SIGTERM"
      kill_timeout = "16s"

      artifact {
        source      = "http://127.0.0.1:20070/flowrex-artifacts/frontend/0.1.0/0000000000000000000000000000000000000000000000000000000000000000/flowrex-frontend-0.1.0.tar.gz"
        destination = "local/frontend"

        options {
          checksum = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
        }
      }

      config {
        command = "/usr/bin/node"
        args    = ["${NOMAD_TASK_DIR}/frontend/server/main.js"]
      }

      env {
        FLOWREX_API_ADDRESS      = "http://127.0.0.1:20080"
        FLOWREX_DRAIN_SECONDS    = "1"
        FLOWREX_ENVIRONMENT      = "dev"
        FLOWREX_GRACEFUL_SECONDS = "10"
        FLOWREX_LISTEN           = "${NOMAD_IP_http}:${NOMAD_PORT_http}"
        FLOWREX_RELEASE          = "0.1.0"
        NODE_ENV                 = "production"
        NODE_OPTIONS             = "--max-old-space-size=288"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 100
        memory     = 96
        memory_max = 384
      }
    }
  }
}
