# Processors, memory, disks and network of every node.
job "node-exporter" {
  region      = "global"
  namespace   = "default"
  datacenters = ["dc1"]
  node_pool   = "default"
  type        = "system"

  update {
    canary            = 0
    max_parallel      = 5
    health_check      = "checks"
    min_healthy_time  = "1s"
    healthy_deadline  = "60s"
    progress_deadline = "90s"
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
        interval = "1s"
        timeout  = "3s"

        check_restart {
          limit = 3
          grace = "30s"
        }
      }
    }

    task "node-exporter" {
      driver       = "raw_exec"
      user         = "nobody"
      kill_signal  = "SIGTERM"
      kill_timeout = "10s"

      config {
        command = "/usr/bin/prometheus-node-exporter"

        args = [
          "--web.listen-address=${NOMAD_IP_http}:${NOMAD_PORT_http}",
        ]
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 20
        memory     = 32
        memory_max = 128
      }
    }
  }
}
