# nginx, by its own page of numbers. Each instance looks at the nginx of its own number in Consul.
job "nginx-exporter" {
  region      = "global"
  namespace   = "default"
  datacenters = ["dc1"]
  node_pool   = "default"
  type        = "service"

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

  group "nginx-exporter" {
    count = 1

    network {
      port "http" {
        to = 9113
      }
    }

    # Again and again: what it looks at may be away for long.
    restart {
      attempts = 3
      interval = "5m"
      delay    = "5s"
      mode     = "delay"
    }

    service {
      name     = "nginx-exporter"
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

    task "nginx-exporter" {
      driver       = "docker"
      user         = "65534:65534"
      kill_signal  = "SIGTERM"
      kill_timeout = "10s"

      config {
        args = [
          "-nginx.retries=1000",
          "-nginx.retry-interval=2s",
          "-web.listen-address=0.0.0.0:9113",
        ]

        image           = "nginx/nginx-prometheus-exporter:0.11.0"
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

      # Its token may find nginx in Consul; Nomad uses it for the template below.
      consul {}

      template {
        destination          = "${NOMAD_SECRETS_DIR}/target.env"
        env                  = true
        change_mode          = "restart"
        perms                = "600"
        uid                  = 65534
        gid                  = 65534
        error_on_missing_key = true

        data = <<TARGET
{{ $address := "127.0.0.1:9" -}}
{{ range $index, $one := service "nginx|any" -}}
{{ if eq (printf "%d" $index) (env "NOMAD_ALLOC_INDEX") }}{{ $address = printf "%s:%d" $one.Address $one.Port }}{{ end -}}
{{ end -}}
CONSUL_TOKEN=
CONSUL_HTTP_TOKEN=
SCRAPE_URI=http://{{ $address }}/nginx/status
TARGET
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
