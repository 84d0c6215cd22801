# Processors, memory, disks and network of every node.
job "node-exporter" {
  region      = "global"
  namespace   = "default"
  datacenters = ["dc1", "dc2"]
  node_pool   = "default"
  type        = "system"

  update {
    canary            = 0
    max_parallel      = 5
    health_check      = "checks"
    min_healthy_time  = "10s"
    healthy_deadline  = "5m"
    progress_deadline = "10m"
    auto_revert       = true
    auto_promote      = false
  }

  group "node-exporter" {
    network {
      port "http" {}
    }

    # Again and again: what it looks at may be away for long.
    restart {
      attempts = 3
      interval = "5m"
      delay    = "5s"
      mode     = "delay"
    }

    service {
      name     = "node-exporter"
      provider = "consul"
      port     = "http"

      check {
        name     = "live"
        type     = "http"
        path     = "/"
        interval = "30s"
        timeout  = "10s"

        check_restart {
          limit = 3
          grace = "40s"
        }
      }
    }

    task "node-exporter" {
      driver       = "docker"
      user         = "65534:65534"
      kill_signal  = "SIGTERM"
      kill_timeout = "10s"

      config {
        args = [
          "--web.listen-address=${NOMAD_IP_http}:${NOMAD_PORT_http}",
          "--path.rootfs=/host",
        ]

        pid_mode        = "host"
        volumes         = ["/:/host:ro,rslave"]
        image           = "prom/node-exporter:v1.5.0"
        network_mode    = "host"
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

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 100
        memory     = 64
        memory_max = 128
      }
    }
  }
}
