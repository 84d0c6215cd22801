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
    min_healthy_time  = "30s"
    healthy_deadline  = "5m"
    progress_deadline = "10m"
    auto_revert       = true
    auto_promote      = false
  }

  group "frontend" {
    count = 2

    # Leave Consul first and give the proxies time to notice, then stop.
    shutdown_delay = "10s"

    network {
      port "http" {
        to = 3000
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
        interval = "30s"
        timeout  = "10s"
      }

      # Alive: the process itself answers. Only this one restarts it.
      check {
        name     = "live"
        type     = "http"
        path     = "/api/health"
        interval = "30s"
        timeout  = "10s"

        check_restart {
          limit = 3
          grace = "40s"
        }
      }
    }

    # It has no login to Vault and no token for Consul: it asks the API, as everybody may.
    task "frontend" {
      driver       = "docker"
      user         = "1000:1000"
      kill_signal  = "SIGTERM"
      kill_timeout = "25s"

      config {
        command         = "node"
        args            = ["server/main.js"]
        image           = "registry.flowrex.app/flowrex-frontend:0.1.0@sha256:0000000000000000000000000000000000000000000000000000000000000000"
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

      env {
        FLOWREX_API_ADDRESS      = "http://nginx.service.consul"
        FLOWREX_DRAIN_SECONDS    = "5"
        FLOWREX_ENVIRONMENT      = "staging"
        FLOWREX_GRACEFUL_SECONDS = "15"
        FLOWREX_LISTEN           = "0.0.0.0:3000"
        FLOWREX_RELEASE          = "0.1.0"
        NODE_ENV                 = "production"
        NODE_OPTIONS             = "--max-old-space-size=768"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 500
        memory     = 512
        memory_max = 1024
      }
    }
  }
}
