"""From submission to "healthy" is reported: flowrexctl against levant, one job and a whole release.

Both deploy the same specs, which levant's own parser can read: a small HTTP server behind a Consul
check in the place of each service, and a batch job. flowrexctl begins what does not rely on each
other at the same time; levant is run job by job, in the same order, as its users do.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from subprocess import run as call
from time import perf_counter

from bench.measure import Figure
from generator.environment import Environment, load
from generator.render import select
from generator.render.catalog import JobTemplate
from tests.cluster import Cluster

ROUNDS = 3

_SERVICE = """\
job "{name}" {{
  datacenters = ["dc1"]
  type        = "{kind}"

  meta {{
    release = {release}
  }}

  update {{
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "2s"
    healthy_deadline  = "60s"
    progress_deadline = "90s"
    auto_revert       = true
  }}

  group "{name}" {{
    count = {count}

    network {{
      port "http" {{}}
    }}

    service {{
      name = "{name}"
      port = "http"

      check {{
        type     = "http"
        path     = "/"
        interval = "1s"
        timeout  = "3s"

        check_restart {{
          limit = 3
          grace = "10s"
        }}
      }}
    }}

    task "{name}" {{
      driver       = "raw_exec"
      kill_timeout = "5s"

      config {{
        command = "{python}"
        args    = ["-m", "http.server", "--bind", "127.0.0.1", "${{NOMAD_PORT_http}}"]
      }}

      resources {{
        cpu        = 50
        memory     = 64
        memory_max = 128
      }}
    }}
  }}
}}
"""
_BATCH = """\
job "{name}" {{
  datacenters = ["dc1"]
  type        = "batch"

  meta {{
    release = {release}
  }}

  group "{name}" {{
    task "{name}" {{
      driver       = "raw_exec"
      kill_timeout = "5s"

      config {{
        command = "/bin/true"
      }}

      resources {{
        cpu        = 50
        memory     = 32
        memory_max = 64
      }}
    }}
  }}
}}
"""


def run(folder: Path, programs: dict[str, Path], cluster: Cluster) -> list[Figure]:
    """Deploy by each tool in turn, a new release each time."""
    project = folder / "release-project"
    shutil.copytree(cluster.project, project)
    own = replace(cluster, project=project)
    environment = load(project, "dev", environ=cluster.environ())
    jobs = select(environment)
    _stop(own, jobs)
    for job in jobs:
        path = project / "jobs" / f"{job.name}.nomad.hcl.j2"
        path.write_text(_text(job, environment, "[[ release.version ]]"))
    releases = iter(range(1, 1000))

    def ours(*names: str) -> Callable[[], float]:
        return lambda: _flowrexctl(own, f"0.0.{next(releases)}", names)

    def peer(*names: str) -> Callable[[], float]:
        chosen = [job for job in jobs if not names or job.name in names]
        return lambda: _levant(own, folder, programs, environment, chosen, next(releases))

    for first in (ours(), peer()):
        first()  # the first deployment is another thing
    sides = {
        "one": (ours("backend"), peer("backend")),
        "all": (ours(), peer()),
    }
    seen: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in sides}
    for _ in range(ROUNDS):
        for name, (left, right) in sides.items():
            seen[name][0].append(left())
            seen[name][1].append(right())
    _stop(own, jobs)
    one = [median(times) for times in seen["one"]]
    whole = [median(times) for times in seen["all"]]
    return [
        Figure(
            'from submission to "healthy" is reported, one job, against levant',
            f"{one[0]:.1f} s / {one[1]:.1f} s = {one[0] / one[1]:.2f}",
        ),
        Figure(
            f"a release of {len(jobs)} jobs, against levant run job by job",
            f"{whole[0]:.1f} s / {whole[1]:.1f} s = {whole[0] / whole[1]:.2f}",
            "at most 0.5",
            whole[0] / whole[1] <= 0.5,
        ),
    ]


def _text(job: JobTemplate, environment: Environment, release: str) -> str:
    template = _BATCH if job.kind == "batch" else _SERVICE
    count = 1 if job.kind == "system" else 2
    return template.format(
        name=job.name,
        kind=job.kind,
        count=count,
        release=release,
        python=environment.platform.python,
    )


def _flowrexctl(cluster: Cluster, release: str, names: tuple[str, ...]) -> float:
    began = perf_counter()
    off = [f'validation.checks.{name}="off"' for name in ("running", "health", "endpoints")]
    given = [f"release.version={release}", "release.checksum=" + "0" * 64, *off]
    options = [word for one in given for word in ("--set", one)]
    cluster.run("run", "dev", *names, "--yes", *options)
    return perf_counter() - began


def _levant(
    cluster: Cluster,
    folder: Path,
    programs: dict[str, Path],
    environment: Environment,
    jobs: Sequence[JobTemplate],
    release: int,
) -> float:
    files = {job: folder / f"release-{job.name}.nomad" for job in jobs}
    for job, file in files.items():
        file.write_text(_text(job, environment, f'"0.1.{release}"'))
    address = f"http://127.0.0.1:{cluster.base + 46}"
    environ = cluster.environ() | {"NOMAD_ADDR": address, "NOMAD_TOKEN": cluster.token("nomad")}
    began = perf_counter()
    for job, file in files.items():
        command = [str(programs["levant"]), "deploy", f"-address={address}", str(file)]
        done = call(command, env=environ, cwd=folder, capture_output=True, text=True)
        told = done.stdout + done.stderr
        # levant takes a batch job that has ended already for one that failed.
        ended = job.kind == "batch" and "job has status dead" in told
        assert done.returncode == 0 or ended, told
    return perf_counter() - began


def _stop(cluster: Cluster, jobs: Sequence[JobTemplate]) -> None:
    """Make room: the same names are other jobs now."""
    for job in reversed(jobs):
        cluster.nomad(f"job/{job.name}?purge=true", method="DELETE")
