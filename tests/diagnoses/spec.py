"""Small jobs, each of which fails in one way."""

from __future__ import annotations

import json
from dataclasses import dataclass

RIGHTS = "flowrex-diagnoses"
PORT = "@static-port@"
ARTIFACTS = "@artifacts@"

_UPDATE = """
  update {
    # Longer than a program takes to fail on a busy machine; one that has failed is not waited for.
    min_healthy_time  = "@least@s"
    healthy_deadline  = "@seconds@s"
    progress_deadline = "120s"
    auto_revert       = @revert@
    canary            = @canary@
  }
"""
_SERVER = """
import http.server, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        {answer}
    def log_message(self, *arguments): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["NOMAD_PORT_http"])), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Kind:
    """A way to fail.

    Attributes:
        name: the name of its golden files.
        about: what is wrong with it.
        hcl: the job, named `@job@`.
        before: a job of the same name that gets healthy before; None where there is none.
        batch: whether it is a batch job.
        promote: seconds for the promotion of its canary, once that has died; None: none is tried.
        management: whether it takes a token that may do more than the operator's.
    """

    name: str
    about: str
    hcl: str
    before: str | None = None
    batch: bool = False
    promote: float | None = None
    management: bool = False

    @property
    def job(self) -> str:
        """The job's name, which no other live test uses."""
        return "diagnose-" + self.name.replace("_", "-")


def job(
    *tasks: str,
    lines: str = "",
    group: str = "",
    count: int = 1,
    datacenter: str = "*",
    restart: str = "attempts = 0",
    batch: bool = False,
    revert: bool = False,
    seconds: int = 100,
    canary: int = 0,
) -> str:
    """Return a job of one group.

    Args:
        tasks: its tasks; see `task`.
        lines: more of the job.
        group: more of its group.
        count: of its group.
        datacenter: where it may run.
        restart: lines of its restart block.
        batch: whether it runs to its end.
        revert: whether Nomad goes back to what was healthy before.
        seconds: until it counts as unhealthy, where it does not fail by itself.
        canary: how many canaries an update begins with.
    """
    update = "" if batch else _update(seconds, canary, revert=revert)
    return f"""job "@job@" {{
  type        = "{"batch" if batch else "service"}"
  datacenters = ["{datacenter}"]
{lines}
{update}
  group "only" {{
    count = {count}
    restart {{
      interval = "60s"
      delay    = "1s"
      mode     = "fail"
      {restart}
    }}
    reschedule {{
      attempts  = 0
      unlimited = false
    }}
{group}
{"".join(tasks)}
  }}
}}
"""


def _update(seconds: int, canary: int, *, revert: bool) -> str:
    text = _UPDATE.replace("@seconds@", str(seconds)).replace("@canary@", str(canary))
    text = text.replace("@least@", str(seconds // 5))
    return text.replace("@revert@", str(revert).lower())


def shell(script: str) -> str:
    """Return the lines with which a task runs a script."""
    written = json.dumps(script).replace("${", "$${")
    return f'command = "/bin/sh"\nargs = ["-c", {written}]'


def python(program: str) -> str:
    """Return the lines with which a task runs a Python program."""
    return f'command = "/usr/bin/python3"\nargs = ["-c", {json.dumps(program)}]'


def serving(answer: str) -> str:
    """Return the lines with which a task answers HTTP requests by a line of Python."""
    return python(_SERVER.format(answer=answer))


def task(
    config: str = shell("sleep 600"),
    *,
    name: str = "app",
    driver: str = "raw_exec",
    resources: str = "cpu = 300\nmemory = 32",
    more: str = "",
) -> str:
    """Return a task.

    Args:
        config: the lines of its driver's block.
        name: its name.
        driver: its driver.
        resources: the lines of its resources.
        more: more of the task.
    """
    return f"""
    task "{name}" {{
      driver = "{driver}"
      config {{
{config}
      }}
      resources {{
{resources}
      }}
{more}
    }}
"""


def artifact(source: str, options: str = "") -> str:
    """Return an artifact of a task."""
    return f"""artifact {{
  source      = "{source}"
  destination = "local/"
  options {{
{options}
  }}
}}"""


def template(text: str, *, role: str = "", consul: bool = False) -> str:
    """Return a template of a task, with the logins that it reads by."""
    vault = f'vault {{\n  role = "{role}"\n}}\n' if role else ""
    return f"""{vault}{"consul {}" if consul else ""}
template {{
  destination          = "secrets/settings"
  error_on_missing_key = true
  data                 = <<EOT
{text}
EOT
}}"""


def check(lines: str) -> str:
    """Return a group's network and its service with one check."""
    return f"""
    network {{
      mode = "host"
      port "http" {{}}
    }}
    service {{
      name     = "@job@"
      port     = "http"
      provider = "consul"
      check {{
        name     = "ready"
        interval = "1s"
        timeout  = "1s"
{lines}
      }}
    }}
"""
