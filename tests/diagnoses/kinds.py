"""The ways to fail whose diagnosis is kept in tests/golden/diagnoses/."""

from __future__ import annotations

from tests.diagnoses.spec import (
    ARTIFACTS,
    PORT,
    RIGHTS,
    Kind,
    artifact,
    check,
    job,
    python,
    serving,
    shell,
    task,
    template,
)

# Those that never end have to be given up; a busy machine wants more than it takes alone.
_PATIENCE = 30
_ZEROS = "0" * 64
_SECRET = '{{ with secret "%s" }}{{ .Data.data.%s }}{{ end }}'
_FULL = "data = [bytearray(1024 * 1024) for _ in range(4096)]"
_UNREADY = (
    "self.send_response(503); self.end_headers(); "
    'self.wfile.write(b\'{"status": "not ready", "database": "refused"}\')'
)
_PRESTART = 'lifecycle {\n hook = "prestart"\n sidecar = false\n}'


def _constraint(attribute: str, value: str) -> str:
    return f'constraint {{\n attribute = "{attribute}"\n value = "{value}"\n}}'


def _service(lines: str) -> str:
    return f"""
    service {{
      name     = "@job@"
      provider = "consul"
{lines}
      check {{
        name     = "ready"
        type     = "tcp"
        interval = "1s"
        timeout  = "1s"
{lines}
      }}
    }}
"""


PLACEMENT = (
    Kind(
        "constraint",
        "a constraint that no node fulfils",
        job(task(), lines=_constraint("${meta.gpu}", "true")),
    ),
    Kind("datacenter", "a datacenter without nodes", job(task(), datacenter="mars")),
    Kind(
        "node_pool",
        "a node pool without nodes",
        job(task(), lines=f'node_pool = "{RIGHTS}"'),
    ),
    Kind(
        "memory", "more memory than a node has", job(task(resources="cpu = 20\nmemory = 2000000"))
    ),
    Kind("cpu", "more CPU than a node has", job(task(resources="cpu = 900000\nmemory = 32"))),
    Kind("cores", "more cores than a node has", job(task(resources="cores = 999\nmemory = 32"))),
    Kind(
        "disk",
        "more disk than a node has",
        job(task(), group="ephemeral_disk {\n size = 900000000\n}"),
    ),
    Kind(
        "device",
        "a device that no node has",
        job(task(resources='cpu = 20\nmemory = 32\ndevice "nvidia/gpu" {\n count = 1\n}')),
    ),
    Kind(
        "static_port",
        "a static port for more allocations than there are addresses",
        job(
            task(),
            count=9,
            group=f'network {{\n mode = "host"\n port "http" {{\n static = {PORT}\n}}\n}}',
        ),
    ),
    Kind(
        "distinct_hosts",
        "more allocations than nodes, each on a node of its own",
        job(
            task(), count=3, lines='constraint {\n operator = "distinct_hosts"\n value = "true"\n}'
        ),
    ),
    Kind(
        "host_volume",
        "a host volume that no node has",
        job(task(), group='volume "data" {\n type = "host"\n source = "ledger"\n}'),
        management=True,
    ),
    Kind(
        "driver",
        "a driver that no node has",
        job(task('image = "localhost/app:1"', driver="podman")),
    ),
)

STARTING = (
    Kind(
        "program_missing", "a program that is not there", job(task('command = "local/bin/server"'))
    ),
    Kind(
        "program_format",
        "a program that is none",
        job(
            task(
                'command = "local/server"',
                more='template {\n destination = "local/server"\n data = "none\\n"\n}',
            )
        ),
    ),
    Kind("user", "a user that the node does not know", job(task(more='user = "nobody-known"'))),
    Kind(
        "artifact_404",
        "an artifact that its server does not have",
        job(task(more=artifact(f"{ARTIFACTS}/missing.tar.gz"))),
    ),
    Kind(
        "artifact_checksum",
        "an artifact with another checksum",
        job(task(more=artifact(f"{ARTIFACTS}/there", f'checksum = "sha256:{_ZEROS}"'))),
    ),
    Kind(
        "artifact_refused",
        "an artifact whose server does not listen",
        job(task(more=artifact("http://127.0.0.1:1/app.tar.gz"))),
    ),
    Kind(
        "artifact_host",
        "an artifact whose server has no address",
        job(task(more=artifact("http://artifacts.invalid/app.tar.gz"))),
    ),
    Kind(
        "artifact_broken",
        "an artifact that can't be unpacked",
        job(task(more=artifact(f"{ARTIFACTS}/there.tar.gz"))),
    ),
    Kind(
        "vault_refused",
        "a secret that the task's role may not read",
        job(
            task(more=template(_SECRET % ("kv/data/flowrex/backend", "x"), role=RIGHTS)),
            seconds=_PATIENCE,
        ),
    ),
    Kind(
        "vault_missing",
        "a secret that Vault does not have",
        job(
            task(more=template(_SECRET % (f"kv/data/flowrex/{RIGHTS}-none", "x"), role=RIGHTS)),
            seconds=_PATIENCE,
        ),
    ),
    Kind(
        "vault_field",
        "a secret without the field that is read",
        job(task(more=template(_SECRET % (f"kv/data/flowrex/{RIGHTS}", "password"), role=RIGHTS))),
    ),
    Kind(
        "vault_role",
        "a role that Vault does not know",
        job(task(more=template("", role="nobody"))),
    ),
    Kind(
        "vault_other_job",
        "the role of another job",
        job(task(more=template("", role="backend"))),
    ),
    Kind(
        "consul_token",
        "a job that Consul has no role for",
        job(task(more=template('{{ key "flowrex/x" }}', consul=True))),
    ),
    Kind(
        "consul_key",
        "a key that Consul does not have",
        job(
            task(more=template(f'{{{{ key "flowrex/{RIGHTS}/none" }}}}', consul=True)),
            seconds=_PATIENCE,
        ),
    ),
    Kind(
        "template_syntax",
        "a template that can't be read",
        job(task(more=template("first line\n{{ if }}"))),
    ),
)

RUNNING = (
    Kind(
        "exit_status",
        "a task that ends with a status and last words",
        job(
            task(shell("echo loading; echo 'fatal: no DATABASE_URL; password=hunter2' >&2; exit 3"))
        ),
    ),
    Kind(
        "no_such_command",
        "a script that runs what is not there",
        job(task(shell("flowrex-server --port 80"))),
    ),
    Kind("ended", "a service that ends as if it were done", job(task(shell("true")))),
    Kind(
        "crash_loop",
        "a task that ends as often as it is begun",
        job(task(shell("echo 'fatal: no leader' >&2; exit 1")), restart="attempts = 2"),
    ),
    Kind("signal", "a task that a signal ends", job(task(shell("kill -SEGV $$")))),
    Kind(
        "oom_killed",
        "a task that outgrows its memory, by driver `exec`",
        job(task(shell("x=12345678; while :; do x=$x$x; done"), driver="exec")),
    ),
    Kind(
        "memory_limit",
        "a task that outgrows its memory, by driver `raw_exec`",
        job(task(python(_FULL))),
    ),
    Kind(
        "prestart_failed",
        "a task that must come first, and fails",
        job(
            task(shell("echo 'fatal: no table' >&2; exit 4"), name="prepare", more=_PRESTART),
            task(),
        ),
    ),
    Kind(
        "prestart_hangs",
        "a task that must come first, and does not end",
        job(task(name="prepare", more=_PRESTART), task(), seconds=_PATIENCE),
    ),
    Kind(
        "batch",
        "a batch job that fails",
        job(task(shell("echo 'fatal: no rows' >&2; exit 2")), batch=True),
        batch=True,
    ),
    Kind(
        "reverted",
        "an update that fails and is taken back",
        job(task(shell("echo 'fatal: new and broken' >&2; exit 5")), revert=True),
        before=job(task(), revert=True, seconds=_PATIENCE),
    ),
    Kind(
        "canary_died",
        "a canary that was healthy and dies before it is promoted",
        job(
            task(shell("sleep 25; echo 'fatal: queue full' >&2; exit 6")),
            canary=1,
            seconds=_PATIENCE,
        ),
        before=job(task(), canary=1, seconds=_PATIENCE),
        promote=7,
    ),
)

CHECKS = (
    Kind(
        "check_http",
        "a check that is answered 503",
        job(
            task(serving(_UNREADY)),
            seconds=_PATIENCE,
            group=check('type = "http"\npath = "/health/ready"'),
        ),
    ),
    Kind(
        "check_refused",
        "a port that nobody listens on",
        job(task(), seconds=_PATIENCE, group=check('type = "tcp"')),
    ),
    Kind(
        "check_timeout",
        "a check that is not answered in time",
        job(
            task(serving("time.sleep(60)")),
            seconds=_PATIENCE,
            group=check('type = "http"\npath = "/health/ready"'),
        ),
    ),
    Kind(
        "check_script",
        "a script check that fails",
        job(
            task(),
            seconds=_PATIENCE,
            group=check(
                'type = "script"\ntask = "app"\ncommand = "/bin/sh"\n'
                'args = ["-c", "echo only 2 % of the disk are free; exit 2"]'
            ),
        ),
    ),
    Kind(
        "unregistered",
        "a service that can't be registered",
        job(task(more=_service('address_mode = "driver"\nport = 80')), seconds=_PATIENCE),
    ),
    Kind(
        "never_healthy",
        "a task that is not healthy for long enough",
        job(task(), seconds=15).replace("3s", "14999ms"),
    ),
)

REFUSED = (
    Kind(
        "unknown_argument", "a spec with an argument that there is not", job(task(), lines="x = 1")
    ),
    Kind("invalid", "a spec that makes no sense", job(task(), count=-1)),
    Kind(
        "unknown_pool", "a node pool that there is not", job(task(), lines='node_pool = "nowhere"')
    ),
)

KINDS = (*PLACEMENT, *STARTING, *RUNNING, *CHECKS, *REFUSED)
