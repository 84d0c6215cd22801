# Gathers the metrics of everything that it finds in Consul, and says what is wrong.
job "prometheus" {
  region      = "global"
  namespace   = "default"
  datacenters = ["dc1"]
  node_pool   = "default"
  type        = "service"

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

  group "prometheus" {
    count = 1

    # The next version takes it over, on another node too while this one can be reached.
    ephemeral_disk {
      sticky  = true
      migrate = true
      size    = 600
    }

    network {
      port "http" {
        static = 20090
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
      name     = "prometheus"
      provider = "consul"
      port     = "http"

      check {
        name     = "ready"
        type     = "http"
        path     = "/-/ready"
        interval = "1s"
        timeout  = "3s"
      }

      check {
        name     = "live"
        type     = "http"
        path     = "/-/healthy"
        interval = "1s"
        timeout  = "3s"

        check_restart {
          limit = 3
          grace = "30s"
        }
      }
    }

    task "prometheus" {
      driver       = "raw_exec"
      user         = "nobody"
      kill_signal  = "SIGTERM"
      kill_timeout = "10s"

      config {
        command = "/usr/bin/prometheus"

        args = [
          "--config.file=${NOMAD_TASK_DIR}/prometheus.yml",
          "--storage.tsdb.path=${NOMAD_ALLOC_DIR}/data/prometheus",
          "--storage.tsdb.retention.time=2d",
          "--storage.tsdb.retention.size=500MB",
          "--web.listen-address=${NOMAD_IP_http}:${NOMAD_PORT_http}",
        ]
      }

      # Both tokens are read from files at each look, so that new ones need no new start. This one
      # may read Vault's own metrics, and nothing else.
      vault {
        role        = "prometheus"
        change_mode = "noop"
        env         = false
      }

      # Its token may find services and read the metrics of Consul's agents.
      consul {}

      template {
        destination          = "${NOMAD_SECRETS_DIR}/consul"
        change_mode          = "noop"
        perms                = "600"
        uid                  = 65534
        gid                  = 65534
        error_on_missing_key = true

        data = "{{ env \"CONSUL_HTTP_TOKEN\" }}"
      }

      template {
        destination          = "${NOMAD_TASK_DIR}/targets.yml"
        change_mode          = "noop"
        perms                = "600"
        uid                  = 65534
        gid                  = 65534
        error_on_missing_key = true

        wait {
          min = "200ms"
          max = "1s"
        }

        data = <<TARGETS
# What Prometheus looks at, and under which labels; docs/monitoring.md explains them. Follows Consul:
# Prometheus takes a new version of this file by itself, without being reloaded.
#
# Rendered by Nomad inside the job prometheus, or by consul-template with the same variables set.
{{- define "labels" }}
    node: {{ .Node | toJSON }}
{{- if .ID | regexMatch "^_nomad-task-[0-9a-f-]{36}-" }}
    alloc: {{ .ID | regexReplaceAll "^_nomad-task-([0-9a-f-]{36})-.*" "$1" }}
{{- end }}
{{- $canary := .Tags | contains "canary" }}
{{- range .Tags }}
{{- if . | regexMatch "^release-" }}
    release: {{ sprig_trimPrefix "release-" . | toJSON }}
    canary: "{{ $canary }}"
{{- end }}
{{- end }}
{{- end }}

{{- define "job" }}
{{- $job := index . 0 }}
{{- range service (printf "%s|any" (index . 1)) }}
- targets: [{{ printf "%s:%d" .Address .Port | toJSON }}]
  labels:
    job: {{ $job }}
{{- template "labels" . }}
{{- end }}
{{- end }}

{{- define "nomad" }}
{{- range service (printf "http.%s|any" .) }}
- targets: [{{ printf "%s:%d" .Address .Port | toJSON }}]
  labels:
    job: nomad
    __scheme__: {{ env "FLOWREX_PROMETHEUS_NOMAD_SCHEME" }}
    __metrics_path__: /v1/metrics
    __param_format: prometheus
{{- template "labels" . }}
{{- end }}
{{- end }}

{{- template "job" sprig_list "backend" "backend" }}
{{- template "job" sprig_list "worker" "worker" }}
{{- template "job" sprig_list "frontend" "frontend" }}
{{- template "job" sprig_list "node" "node-exporter" }}
{{- template "job" sprig_list "postgres" "postgres-exporter" }}
{{- template "job" sprig_list "redis" "redis-exporter" }}
{{- template "job" sprig_list "nginx" "nginx-exporter" }}
{{- template "job" sprig_list "alertmanager" "alertmanager" }}
{{- template "job" sprig_list "prometheus" "prometheus" }}

{{- /* An agent listens on its own node's loopback; elsewhere than here that is another machine. */}}
{{- if eq (env "FLOWREX_PROMETHEUS_LOCAL") "true" }}
{{- template "job" sprig_list "agent" "flowrex-agent" }}
{{- end }}

{{- template "nomad" "nomad" }}
{{- template "nomad" "nomad-client" }}

{{- /* The catalog has the port of a server's RPC. Its API is where it is at Consul's address. */}}
{{- range service "consul|any" }}
- targets: [{{ printf "%s:%s" .Address (env "FLOWREX_PROMETHEUS_CONSUL_PORT") | toJSON }}]
  labels:
    job: consul
    __scheme__: {{ env "FLOWREX_PROMETHEUS_CONSUL_SCHEME" }}
    __metrics_path__: /v1/agent/metrics
    __param_format: prometheus
{{- template "labels" . }}
{{- end }}
TARGETS
      }

      template {
        destination          = "${NOMAD_TASK_DIR}/prometheus.yml"
        change_mode          = "signal"
        change_signal        = "SIGHUP"
        perms                = "600"
        uid                  = 65534
        gid                  = 65534
        error_on_missing_key = true

        data = <<PROMETHEUS
# How Prometheus looks at what prometheus-targets.yml.ctmpl finds for it; docs/monitoring.md.
#
# Rendered by Nomad inside the job prometheus, or by consul-template with the same variables set:
# FLOWREX_PROMETHEUS_* as jobs/prometheus.nomad.hcl.j2 names them, and NOMAD_SECRETS_DIR.
{{- $interval := env "FLOWREX_PROMETHEUS_INTERVAL" }}
{{- $secrets := env "NOMAD_SECRETS_DIR" }}
global:
  scrape_interval: {{ $interval }}
  evaluation_interval: {{ $interval }}
  external_labels:
    environment: {{ env "FLOWREX_PROMETHEUS_ENVIRONMENT" | toJSON }}

rule_files: [alerts.yml]

alerting:
  alertmanagers:
    - file_sd_configs: [{files: [targets.yml]}]
      relabel_configs:
        - {source_labels: [job], regex: alertmanager, action: keep}

scrape_configs:
  # Each target says itself which job it belongs to, and where its metrics are.
  - job_name: services
    file_sd_configs: [{files: [targets.yml]}]
    relabel_configs:
      - {source_labels: [job], regex: consul, action: drop}

  - job_name: consul
    authorization: {credentials_file: {{ env "FLOWREX_PROMETHEUS_CONSUL_TOKEN" }}}
    file_sd_configs: [{files: [targets.yml]}]
    relabel_configs:
      - {source_labels: [job], regex: consul, action: keep}

  - job_name: vault
    scheme: {{ env "FLOWREX_PROMETHEUS_VAULT_SCHEME" }}
    metrics_path: /v1/sys/metrics
    params: {format: [prometheus]}
    authorization: {credentials_file: {{ $secrets }}/vault_token}
    static_configs:
      - targets: [{{ env "FLOWREX_PROMETHEUS_VAULT" | toJSON }}]
PROMETHEUS
      }

      template {
        destination          = "${NOMAD_TASK_DIR}/alerts.yml"
        change_mode          = "signal"
        change_signal        = "SIGHUP"
        perms                = "600"
        uid                  = 65534
        gid                  = 65534
        error_on_missing_key = true

        # The rules are a plain file, whose curly braces are Prometheus' own.
        left_delimiter  = "<%"
        right_delimiter = "%>"

        data = <<ALERTS
# What is wrong, by Prometheus' rules. `level` says how soon somebody has to act, by the levels of
# docs/incident-response.md; `runbook` where to go on reading. A plain file: the job prometheus embeds
# it as it is, and `promtool check rules` reads it.

groups:
  - name: platform
    rules:
      - alert: NothingServes
        # Three health checks in a row, 30 s each.
        expr: sum(up{job="backend"} or on() vector(0)) == 0
        for: 90s
        labels: {level: P0}
        annotations:
          summary: No backend answers.
          runbook: docs/incident-response.md

      - alert: TargetDown
        expr: up == 0
        for: 90s
        labels: {level: P1}
        annotations:
          summary: "{{ $labels.job }} at {{ $labels.instance }} does not answer."
          runbook: docs/monitoring.md

      - alert: RequestsFail
        expr: >
          sum(rate(http_requests_total{job="backend", status=~"5.."}[5m]))
          / sum(rate(http_requests_total{job="backend"}[5m])) > 0.05
        labels: {level: P1}
        annotations:
          summary: "{{ $value | humanizePercentage }} of the requests of five minutes failed."
          runbook: docs/incident-response.md

      - alert: AnswersAreSlow
        expr: >
          histogram_quantile(0.95,
          sum by (le) (rate(http_request_duration_seconds_bucket{job="backend"}[5m]))) > 1
        for: 5m
        labels: {level: P2}
        annotations:
          summary: "One request in twenty takes longer than {{ $value | humanizeDuration }}."
          runbook: docs/incident-response.md

      - alert: DatabasePoolExhausted
        expr: >
          sum without (state) (database_connections) >= database_pool_max_connections
          and database_pool_waiting_requests > 0
        for: 1m
        labels: {level: P1}
        annotations:
          summary: "All {{ $value }} database connections of {{ $labels.instance }} are in use."
          runbook: docs/incident-response.md

      - alert: BrokerRefuses
        expr: sum(increase(trades_refused_total{place="broker"}[5m])) > 0
        labels: {level: P1}
        annotations:
          summary: The broker refused orders.
          runbook: docs/incident-response.md

      - alert: AuditRecordsLost
        expr: sum by (instance) (increase(audit_records_total{result="failure"}[5m])) > 0
        labels: {level: P0}
        annotations:
          summary: "Audit records of {{ $labels.instance }} do not reach its disk."
          runbook: docs/audit.md

      - alert: EmergencySwitchUnread
        expr: flowrex_emergency_unknown_seconds > 30
        labels: {level: P1}
        annotations:
          summary: "{{ $labels.instance }} can't read the emergency switch and takes no new risk."
          runbook: docs/runbooks/emergency.md

      - alert: CredentialsNotRotated
        expr: sum by (instance) (increase(database_credentials_rotations_total{result="failure"}[15m])) > 0
        labels: {level: P2}
        annotations:
          summary: "{{ $labels.instance }} could not change its database login."
          runbook: docs/incident-response.md

  - name: servers
    rules:
      - alert: PostgresDown
        expr: pg_up == 0
        for: 90s
        labels: {level: P0}
        annotations:
          summary: PostgreSQL does not answer its exporter.
          runbook: docs/incident-response.md

      - alert: TransactionTooLong
        expr: max by (datname) (pg_stat_activity_max_tx_duration) > 300
        labels: {level: P2}
        annotations:
          summary: "A transaction in {{ $labels.datname }} is open for {{ $value | humanizeDuration }}."
          runbook: docs/incident-response.md

      - alert: PostgresConnectionsUsedUp
        expr: >
          sum by (server) (pg_stat_activity_count) > 0.9 * max by (server) (pg_settings_max_connections)
        for: 1m
        labels: {level: P1}
        annotations:
          summary: "PostgreSQL has {{ $value }} connections, nearly as many as it takes."
          runbook: docs/incident-response.md

      - alert: RedisDown
        expr: redis_up == 0
        for: 90s
        labels: {level: P1}
        annotations:
          summary: Redis does not answer its exporter.
          runbook: docs/incident-response.md

      - alert: RedisMemoryUsedUp
        expr: redis_memory_used_bytes > 0.9 * redis_memory_max_bytes and redis_memory_max_bytes > 0
        for: 5m
        labels: {level: P2}
        annotations:
          summary: Redis uses nine tenths of the memory that it may.
          runbook: docs/incident-response.md

      - alert: NginxDown
        expr: nginx_up == 0
        for: 90s
        labels: {level: P1}
        annotations:
          summary: "nginx does not answer the exporter {{ $labels.instance }}."
          runbook: docs/incident-response.md

      - alert: VaultSealed
        expr: vault_core_unsealed == 0
        labels: {level: P0}
        annotations:
          summary: Vault is sealed, and nothing that is started can log in.
          runbook: docs/incident-response.md

      - alert: ConsulUnhealthy
        expr: consul_autopilot_healthy == 0
        for: 1m
        labels: {level: P0}
        annotations:
          summary: Consul's servers are not in order; the kill switch depends on them.
          runbook: docs/runbooks/emergency.md

  - name: nodes
    rules:
      - alert: DiskNearlyFull
        expr: >
          node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs|overlay|squashfs"}
          < 0.1 * node_filesystem_size_bytes{fstype!~"tmpfs|ramfs|overlay|squashfs"}
        for: 5m
        labels: {level: P1}
        annotations:
          summary: "{{ $labels.mountpoint }} of {{ $labels.node }} is more than nine tenths full."
          runbook: docs/incident-response.md

      - alert: MemoryNearlyUsedUp
        expr: node_memory_MemAvailable_bytes < 0.05 * node_memory_MemTotal_bytes
        for: 5m
        labels: {level: P2}
        annotations:
          summary: "{{ $labels.node }} has less than a twentieth of its memory left."
          runbook: docs/incident-response.md

  - name: agents
    rules:
      - alert: AgentAlarm
        expr: flowrex_agent_alarms > 0
        for: 1m
        labels: {level: P2}
        annotations:
          summary: "The agent {{ $labels.instance }} has an alarm of {{ $labels.capability }}."
          runbook: docs/agent.md

      - alert: BackupOverdue
        # Daily, and two hours to take one. It is one of all nodes' agents that does.
        expr: time() - max by (database) (flowrex_backup_last_success_timestamp_seconds) > 26 * 3600
        for: 15m
        labels: {level: P1}
        annotations:
          summary: "The newest good backup of {{ $labels.database }} is {{ $value | humanizeDuration }} old."
          runbook: docs/runbooks/backup-restore.md

      - alert: BackupNotDrilled
        expr: time() - max by (database) (flowrex_backup_drilled_timestamp_seconds) > 8 * 86400
        for: 1h
        labels: {level: P3}
        annotations:
          summary: "No backup of {{ $labels.database }} was restored on trial for a week."
          runbook: docs/runbooks/backup-restore.md

      - alert: RetentionFailed
        # As long as Nomad remembers that start: four hours, unless `job_gc_threshold` says otherwise.
        expr: max by (periodic_id) (nomad_nomad_job_summary_failed{parent_id="retention"}) > 0
        labels: {level: P3}
        annotations:
          summary: "Old records were not deleted: the start {{ $labels.periodic_id }} of retention failed."
          runbook: docs/retention.md

      - alert: PhysicalBackupAlarm
        expr: flowrex_physical_alarm == 1
        for: 1m
        labels: {level: P1}
        annotations:
          summary: "The archive of WAL: {{ $labels.alarm }}."
          runbook: docs/runbooks/point-in-time-recovery.md

      - alert: AuditShippingBehind
        expr: flowrex_audit_lag_seconds > 300
        for: 5m
        labels: {level: P1}
        annotations:
          summary: "Audit records wait for {{ $value | humanizeDuration }} at {{ $labels.instance }}."
          runbook: docs/audit.md

      - alert: AuditLinesLost
        # Also where the count is not zero from the first time on: it is kept over a restart.
        expr: |
          increase(flowrex_audit_lost_bytes_total[1h]) > 0
            or (flowrex_audit_lost_bytes_total > 0 unless flowrex_audit_lost_bytes_total offset 1h)
        labels: {level: P0}
        annotations:
          summary: "Audit records of {{ $labels.instance }} were removed before {{ $labels.sink }} had them."
          runbook: docs/audit.md

      - alert: AuditFilesNotSaved
        expr: flowrex_audit_unsaved_bytes > 0
        for: 5m
        labels: {level: P1}
        annotations:
          summary: "{{ $labels.instance }} has no room for removed audit files: the next stop of its agent loses them."
          runbook: docs/audit.md

      - alert: AuditSegmentsMissing
        expr: flowrex_audit_missing_segment > 0
        labels: {level: P0}
        annotations:
          summary: "Audit segments of {{ $labels.instance }} up to {{ $value }} were taken away from {{ $labels.sink }}."
          runbook: docs/runbooks/audit-chain.md

  - name: monitoring
    rules:
      - alert: AlertsNotTold
        expr: sum by (integration) (increase(alertmanager_notifications_failed_total[5m])) > 0
        labels: {level: P1}
        annotations:
          summary: "Alertmanager could not tell people by {{ $labels.integration }}."
          runbook: docs/monitoring.md

      - alert: RulesFail
        expr: increase(prometheus_rule_evaluation_failures_total[5m]) > 0
        labels: {level: P2}
        annotations:
          summary: Prometheus can't evaluate its rules.
          runbook: docs/monitoring.md

      # Fires always, and goes to nobody: whoever looks sees by it that alerts arrive.
      - alert: AlertsArrive
        expr: vector(1)
        labels: {level: none}
        annotations:
          summary: Rules are evaluated, and what they say arrives.
          runbook: docs/post-deploy.md
ALERTS
      }

      env {
        FLOWREX_PROMETHEUS_CONSUL_PORT   = "20050"
        FLOWREX_PROMETHEUS_CONSUL_SCHEME = "http"
        FLOWREX_PROMETHEUS_CONSUL_TOKEN  = "${NOMAD_SECRETS_DIR}/consul"
        FLOWREX_PROMETHEUS_ENVIRONMENT   = "dev"
        FLOWREX_PROMETHEUS_INTERVAL      = "5s"
        FLOWREX_PROMETHEUS_LOCAL         = "true"
        FLOWREX_PROMETHEUS_NOMAD_SCHEME  = "http"
        FLOWREX_PROMETHEUS_VAULT         = "127.0.0.1:20082"
        FLOWREX_PROMETHEUS_VAULT_SCHEME  = "http"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu        = 100
        memory     = 128
        memory_max = 512
      }
    }
  }
}
