# The platform's one entry. Its upstreams follow Consul: a change is a reload, never a restart.
job "nginx" {
  region      = "global"
  namespace   = "default"
  datacenters = ["dc1"]
  node_pool   = "default"
  type        = "service"

  constraint {
    attribute = "${meta.entry}"
    value     = "true"
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
  group "nginx" {
    count = 1

    network {
      port "http" {
        static = 80
        to     = 8080
      }

      port "https" {
        static = 443
        to     = 8443
      }
    }

    restart {
      attempts = 3
      interval = "5m"
      delay    = "5s"
      mode     = "delay"
    }

    service {
      name     = "nginx"
      provider = "consul"
      port     = "http"

      check {
        name     = "live"
        type     = "http"
        path     = "/nginx/health"
        interval = "30s"
        timeout  = "10s"

        check_restart {
          limit = 3
          grace = "40s"
        }
      }
    }

    # Follows Consul. Starts before the entry and stops after it.
    task "nginx" {
      driver       = "docker"
      user         = "1000:1000"
      kill_signal  = "SIGQUIT"
      kill_timeout = "30s"

      lifecycle {
        hook    = "prestart"
        sidecar = true
      }

      # Its token may read the service catalog and the switches of maintenance and emergency.
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
        command         = "/bin/sh"
        args            = ["-c", "rm -f ../alloc/nginx.sock; exec \"$0\" \"$@\"", "/usr/sbin/nginx", "-e", "stderr", "-c", "${NOMAD_TASK_DIR}/nginx.conf", "-g", "daemon off;"]
        work_dir        = "/local"
        image           = "registry.flowrex.app/flowrex-nginx:0.1.0@sha256:0000000000000000000000000000000000000000000000000000000000000000"
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
        destination          = "${NOMAD_TASK_DIR}/nginx.conf"
        change_mode          = "signal"
        change_signal        = "SIGHUP"
        splay                = "0s"
        perms                = "600"
        uid                  = 1000
        gid                  = 1000
        error_on_missing_key = true

        wait {
          min = "200ms"
          max = "1s"
        }

        data = <<NGINX
# Where requests go. Follows Consul: a change of the instances is a reload of this process, which
# takes requests from entry.conf's nginx only.
#
# Rendered by Nomad inside the nginx job, or by consul-template with the same variables set:
# FLOWREX_NGINX_* as jobs/nginx.nomad.hcl.j2 names them, and NOMAD_TASK_DIR, a folder to write to.

{{- /* Maintenance: the switch for it, or the emergency's level stop. Nothing that stands in a key
may make this fail, since a template that fails is never rendered again: no function here raises for
what it is given, and what can't be read is no maintenance (flowrex/emergency.py: it is halt). */}}
{{- $maintenance := regexMatch `(?i)^\s*on\s*$` (keyOrDefault "flowrex/maintenance" "off") }}
{{- $emergency := keyOrDefault "flowrex/emergency" "off" }}
{{- $document := sprig_fromJson $emergency }}
{{- $once := true }}
{{- range sprig_list "level" "reason" "by" "at" }}
{{- if gt (len (sprig_regexFindAll (printf `"%s"\s*:` .) $emergency -1)) 1 }}{{ $once = false }}{{ end }}
{{- end }}
{{- $utf8 := not (regexMatch `^"(\\.|[^\\])*?\\x[89a-f][0-9a-f]` (printf "%q" $emergency)) }}
{{- if and $once $utf8 (le (len $emergency) 16384) (sprig_kindIs "map" $document) }}
{{- if sprig_hasKey $document "level" }}{{ $level := index $document "level" }}
{{- if sprig_kindIs "string" $level }}{{ if eq $level "stop" }}{{ $maintenance = true }}{{ end }}{{ end }}
{{- end }}
{{- end }}
{{- /* Only where it is root that starts it. */}}
{{ with env "FLOWREX_NGINX_USER" }}user {{ . }};
{{ end -}}
worker_processes auto;
pid {{ env "NOMAD_TASK_DIR" }}/nginx.pid;
error_log stderr warn;

# Old workers leave after a reload when their requests are done, long polls included.
worker_shutdown_timeout 300s;

events {
    worker_connections {{ env "FLOWREX_NGINX_WORKER_CONNECTIONS" }};
    use epoll;
}

http {
    default_type application/octet-stream;
    server_tokens off;

    log_format timed '$remote_addr - $remote_user [$time_local] "$request" $status '
                     '$body_bytes_sent "$http_referer" "$http_user_agent" '
                     '"$http_x_forwarded_for" id=$request_id to=$upstream_addr '
                     'rt=$request_time uct=$upstream_connect_time '
                     'uht=$upstream_header_time urt=$upstream_response_time';
    access_log /dev/stdout timed;

    client_body_temp_path {{ env "NOMAD_TASK_DIR" }}/client_body;
    proxy_temp_path {{ env "NOMAD_TASK_DIR" }}/proxy;
    fastcgi_temp_path {{ env "NOMAD_TASK_DIR" }}/fastcgi;
    uwsgi_temp_path {{ env "NOMAD_TASK_DIR" }}/uwsgi;
    scgi_temp_path {{ env "NOMAD_TASK_DIR" }}/scgi;

    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    client_max_body_size {{ env "FLOWREX_NGINX_BODY_LIMIT" }};

    # As the backend and the frontend write them; images and archives are small already.
    gzip on;
    gzip_comp_level 6;
    gzip_min_length 1024;
    gzip_proxied any;
    gzip_vary on;
    gzip_types application/json application/javascript text/css text/javascript text/plain
               image/svg+xml;

    # Only a request that asks for an upgrade gets one; others keep the connection for the next.
    map $http_upgrade $connection_upgrade {
        default upgrade;
        ""      "";
    }

    upstream backend {
        least_conn;
{{- range service "backend" }}
        server {{ .Address }}:{{ .Port }} max_fails={{ env "FLOWREX_NGINX_MAX_FAILS" }} fail_timeout={{ env "FLOWREX_NGINX_FAIL_TIMEOUT" }};
{{- else }}
        # Nobody is healthy: every request is answered 502 until somebody is.
        server 127.0.0.1:9 down;
{{- end }}
        keepalive {{ env "FLOWREX_NGINX_KEEPALIVE" }};
        # Shorter than the backend's own, so that the backend never closes one that is in use.
        keepalive_timeout 30s;
    }

    # The pages; the API goes on without them.
    upstream frontend {
        least_conn;
{{- range service "frontend" }}
        server {{ .Address }}:{{ .Port }} max_fails={{ env "FLOWREX_NGINX_MAX_FAILS" }} fail_timeout={{ env "FLOWREX_NGINX_FAIL_TIMEOUT" }};
{{- else }}
        server 127.0.0.1:9 down;
{{- end }}
        keepalive {{ env "FLOWREX_NGINX_KEEPALIVE" }};
        # Likewise shorter than the frontend's own.
        keepalive_timeout 30s;
    }

    # A file's address has its content's checksum in it, so that it may be kept for good; that it was
    # not there, only until next time.
    map $status $static_caching {
        200     "public, max-age=31536000, immutable";
        206     "public, max-age=31536000, immutable";
        304     "public, max-age=31536000, immutable";
        default "no-store";
    }

    # Whom maintenance turns away. The operators' own addresses go on.
    geo $turned_away {
        default {{ if $maintenance }}1{{ else }}0{{ end }};
{{- range env "FLOWREX_NGINX_OPS_ALLOW" | split " " }}
        {{ . }} 0;
{{- end }}
    }

{{- with env "FLOWREX_NGINX_API_RATE" }}

    # How much one address may ask of the API. The operators' own addresses are not counted.
    geo $counted {
        default 1;
{{- range env "FLOWREX_NGINX_OPS_ALLOW" | split " " }}
        {{ . }} 0;
{{- end }}
    }
    map $counted $limited {
        1       $binary_remote_addr;
        default "";
    }
    limit_req_zone $limited zone=api:10m rate={{ . }};
    limit_req_status 429;
{{- end }}

    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $http_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;
    proxy_set_header X-Request-ID $request_id;
    proxy_connect_timeout {{ env "FLOWREX_NGINX_CONNECT_TIMEOUT" }};
    proxy_read_timeout {{ env "FLOWREX_NGINX_READ_TIMEOUT" }};

    # A request that an instance may have acted on is not sent to a second one.
    proxy_next_upstream error timeout;
    proxy_next_upstream_tries {{ env "FLOWREX_NGINX_RETRIES" }};

    # The client's address is what the entry says it is.
    set_real_ip_from unix:;
    real_ip_header X-Real-IP;

    server {
        listen unix:../alloc/nginx.sock;
        server_name _;

        # Whether nginx itself works, whatever is behind it.
        location = /nginx/health {
            access_log off;
            default_type text/plain;
            return 200 "ok\n";
        }

        location /api/ {
            error_page 503 @maintenance_api;
            if ($turned_away) {
                return 503;
            }
{{- with env "FLOWREX_NGINX_API_RATE" }}
            error_page 429 @too_many;
            limit_req zone=api burst={{ env "FLOWREX_NGINX_API_BURST" }} nodelay;
{{- end }}
            proxy_pass http://backend;
            proxy_buffering off;
            proxy_request_buffering off;
        }

        location /health {
            access_log off;
            proxy_pass http://backend;
        }

        # For Prometheus, from inside.
        location = /metrics {
{{- range env "FLOWREX_NGINX_METRICS_ALLOW" | split " " }}
            allow {{ . }};
{{- end }}
            deny all;
            proxy_pass http://backend;
        }

        # This process's own numbers, likewise from inside only: for the job nginx-exporter.
        location = /nginx/status {
            access_log off;
{{- range env "FLOWREX_NGINX_METRICS_ALLOW" | split " " }}
            allow {{ . }};
{{- end }}
            deny all;
            stub_status;
        }
{{- if eq (env "FLOWREX_NGINX_FRONTEND") "on" }}

        location / {
            error_page 503 @maintenance_page;
            error_page 502 504 =503 @no_frontend;
            if ($turned_away) {
                return 503;
            }
            # Next's own word for "make this page anew", which is nobody's to say from outside.
            proxy_set_header X-Prerender-Revalidate "";
            proxy_pass http://frontend;
        }

        location /_next/static/ {
            error_page 503 @maintenance_page;
            error_page 502 504 =503 @no_frontend;
            if ($turned_away) {
                return 503;
            }
            proxy_pass http://frontend;
            # While two versions run, the one that made the page may not be the one that is asked.
            proxy_next_upstream error timeout http_404;
            proxy_next_upstream_tries 0;
            proxy_hide_header Cache-Control;
            add_header Cache-Control $static_caching always;
        }

        location @no_frontend {
            add_header Retry-After 5 always;
            add_header Cache-Control no-store always;
            default_type text/html;
            charset utf-8;
            return 503 '<!doctype html><html lang="en"><title>No pages right now</title><h1>The pages are not there right now</h1><p>Please try again in a moment. The API goes on without them.</p></html>\n';
        }
{{- else }}

        location / {
            error_page 503 @maintenance_page;
            if ($turned_away) {
                return 503;
            }
            default_type application/json;
            return 404 '{"detail": "Not Found"}\n';
        }
{{- end }}

        location @too_many {
            add_header Retry-After 1 always;
            add_header Cache-Control no-store always;
            default_type application/json;
            return 429 '{"detail": "Too many requests"}\n';
        }

        location @maintenance_api {
            add_header Retry-After {{ env "FLOWREX_NGINX_RETRY_AFTER" }} always;
            add_header Cache-Control no-store always;
            default_type application/json;
            return 503 '{"error": "maintenance", "retry_after_seconds": {{ env "FLOWREX_NGINX_RETRY_AFTER" }}}\n';
        }

        location @maintenance_page {
            add_header Retry-After {{ env "FLOWREX_NGINX_RETRY_AFTER" }} always;
            add_header Cache-Control no-store always;
            default_type text/html;
            charset utf-8;
            return 503 '<!doctype html><html lang="en"><title>Maintenance</title><h1>Down for maintenance</h1><p>Please try again in a few minutes.</p></html>\n';
        }
    }
}
NGINX
      }

      env {
        FLOWREX_NGINX_API_BURST          = "10"
        FLOWREX_NGINX_API_RATE           = "60r/m"
        FLOWREX_NGINX_BODY_LIMIT         = "10M"
        FLOWREX_NGINX_CONNECT_TIMEOUT    = "75s"
        FLOWREX_NGINX_FAIL_TIMEOUT       = "30s"
        FLOWREX_NGINX_FRONTEND           = "on"
        FLOWREX_NGINX_KEEPALIVE          = "32"
        FLOWREX_NGINX_MAX_FAILS          = "3"
        FLOWREX_NGINX_METRICS_ALLOW      = "10.0.0.0/8"
        FLOWREX_NGINX_OPS_ALLOW          = "10.0.0.0/8"
        FLOWREX_NGINX_READ_TIMEOUT       = "300s"
        FLOWREX_NGINX_RETRIES            = "3"
        FLOWREX_NGINX_RETRY_AFTER        = "120"
        FLOWREX_NGINX_USER               = ""
        FLOWREX_NGINX_WORKER_CONNECTIONS = "4096"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 500
        memory     = 128
        memory_max = 256
      }
    }

    # What clients are connected to. Reloaded for a new certificate alone, since that closes idle
    # connections.
    task "entry" {
      driver       = "docker"
      user         = "1000:1000"
      kill_signal  = "SIGQUIT"
      kill_timeout = "30s"

      config {
        command         = "/bin/sh"
        args            = ["-c", "exec \"$0\" \"$@\"", "/usr/sbin/nginx", "-e", "stderr", "-c", "${NOMAD_TASK_DIR}/nginx.conf", "-g", "daemon off;"]
        work_dir        = "/local"
        image           = "registry.flowrex.app/flowrex-nginx:0.1.0@sha256:0000000000000000000000000000000000000000000000000000000000000000"
        ports           = ["http", "https"]
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
        destination          = "${NOMAD_TASK_DIR}/nginx.conf"
        change_mode          = "noop"
        perms                = "600"
        uid                  = 1000
        gid                  = 1000
        error_on_missing_key = true

        data = <<ENTRY
# The process that clients are connected to. A reloading nginx closes idle client connections, and a
# request that is under way on one of them would be lost: so it is reloaded for a new certificate
# alone, and hands every request to the nginx beside it, over a socket and on a connection of its own.
#
# Rendered by Nomad inside the nginx job, or by consul-template with FLOWREX_NGINX_*, NOMAD_TASK_DIR
# and, for TLS, NOMAD_SECRETS_DIR set.

{{- /* Only where it is root that starts it. */}}
{{ with env "FLOWREX_NGINX_USER" }}user {{ . }};
{{ end -}}
worker_processes auto;
pid {{ env "NOMAD_TASK_DIR" }}/entry.pid;
error_log stderr warn;

# A worker that leaves after a reload may still have long answers under way.
worker_shutdown_timeout 300s;

events {
    worker_connections {{ env "FLOWREX_NGINX_WORKER_CONNECTIONS" }};
    use epoll;
}

http {
    access_log off;
    server_tokens off;
    tcp_nodelay on;
    keepalive_timeout 65s;
    # The nginx behind limits it.
    client_max_body_size 0;

    client_body_temp_path {{ env "NOMAD_TASK_DIR" }}/client_body;
    proxy_temp_path {{ env "NOMAD_TASK_DIR" }}/proxy;
    fastcgi_temp_path {{ env "NOMAD_TASK_DIR" }}/fastcgi;
    uwsgi_temp_path {{ env "NOMAD_TASK_DIR" }}/uwsgi;
    scgi_temp_path {{ env "NOMAD_TASK_DIR" }}/scgi;

    map $http_upgrade $connection_upgrade {
        default upgrade;
        ""      close;
    }

    # Relative to the folder in which the task runs, since a socket's path may be no longer than
    # 107 bytes.
    upstream nginx {
        server unix:../alloc/nginx.sock;
    }

    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_buffering off;
    proxy_request_buffering off;
    proxy_next_upstream off;
    proxy_read_timeout {{ env "FLOWREX_NGINX_READ_TIMEOUT" }};
{{- $tls := env "FLOWREX_NGINX_TLS_PORT" }}
{{- if $tls }}

    # Who has to come by TLS; not those inside, and not whoever asks whether nginx works.
    geo $outside {
        default 1;
{{- range env "FLOWREX_NGINX_PLAIN_ALLOW" | split " " }}
        {{ . }} 0;
{{- end }}
    }
    map $uri $sent_to_tls {
        default       $outside;
        /nginx/health 0;
    }

    ssl_certificate {{ env "NOMAD_SECRETS_DIR" }}/entry.pem;
    ssl_certificate_key {{ env "NOMAD_SECRETS_DIR" }}/entry.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    # Of version 1.2 those alone that keep what was said secret if the key is lost, with
    # authenticated encryption (AEAD); version 1.3 has no others.
    ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;
    ssl_session_cache shared:entry:10m;
    ssl_session_timeout 10m;
    # A ticket's key would be as old as this process, and open every session that it was given for.
    ssl_session_tickets off;
{{- end }}

    server {
        listen {{ env "FLOWREX_NGINX_PORT" }};
        server_name _;
{{- if $tls }}

        # 308 keeps the method and the body.
        if ($sent_to_tls) {
            return 308 https://$host{{ with env "FLOWREX_NGINX_TLS_PUBLIC_PORT" }}{{ if ne . "443" }}:{{ . }}{{ end }}{{ end }}$request_uri;
        }
{{- end }}

        location / {
            proxy_pass http://nginx;
        }
    }
{{- if $tls }}

    server {
        listen {{ $tls }} ssl http2;
        server_name _;
{{- with env "FLOWREX_NGINX_HSTS_SECONDS" }}{{ if ne . "0" }}

        add_header Strict-Transport-Security "max-age={{ . }}; includeSubDomains" always;
{{- end }}{{ end }}

        location / {
            proxy_pass http://nginx;
        }
    }
{{- end }}
}
ENTRY
      }

      vault {
        role         = "nginx"
        change_mode  = "noop"
        env          = false
        disable_file = true
      }

      # Both in one file, so that nginx never sees the one without the other. A field that is missing
      # is left out: an error here would end the task, while nginx stays with what it has.
      template {
        destination          = "${NOMAD_SECRETS_DIR}/entry.pem"
        change_mode          = "signal"
        change_signal        = "SIGHUP"
        splay                = "30s"
        perms                = "600"
        uid                  = 1000
        gid                  = 1000
        error_on_missing_key = true

        data = <<CERTIFICATE
{{ with secret "kv/data/flowrex/nginx" }}{{ or (index .Data.data "certificate") "" }}
{{ or (index .Data.data "key") "" }}{{ end }}
CERTIFICATE
      }

      env {
        FLOWREX_NGINX_HSTS_SECONDS       = "31536000"
        FLOWREX_NGINX_PLAIN_ALLOW        = "10.0.0.0/8 172.17.0.0/16"
        FLOWREX_NGINX_PORT               = "8080"
        FLOWREX_NGINX_READ_TIMEOUT       = "300s"
        FLOWREX_NGINX_TLS_PORT           = "8443"
        FLOWREX_NGINX_TLS_PUBLIC_PORT    = "443"
        FLOWREX_NGINX_USER               = ""
        FLOWREX_NGINX_WORKER_CONNECTIONS = "4096"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 500
        memory     = 128
        memory_max = 256
      }
    }
  }
}
