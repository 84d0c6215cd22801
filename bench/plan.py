"""`flowrexctl plan` of a whole environment against levant and nomad-pack, job by job."""

from __future__ import annotations

from pathlib import Path

from bench import peers
from bench.measure import Command, Figure, interleaved
from generator.environment import load
from generator.render import render_jobs
from tests.cluster import FLOWREXCTL, Cluster

ROUNDS = 11


def run(folder: Path, programs: dict[str, Path], cluster: Cluster) -> list[Figure]:
    """Plan one change of every job, by each tool."""
    environ = cluster.environ()
    change = "release.version=0.1.1"
    cluster.run("build", "--version", "0.1.1", "--push", "dev")
    environment = load(cluster.project, "dev", overrides=[change], environ=environ)
    jobs = render_jobs(environment, cluster.project)
    address = f"http://127.0.0.1:{cluster.base + 46}"
    peer_environ = environ | {"NOMAD_ADDR": address, "NOMAD_TOKEN": cluster.token("nomad")}
    levant, pack = str(programs["levant"]), str(programs["nomad-pack"])
    packs = folder / "plan-packs"
    packs.mkdir()
    ours = [str(FLOWREXCTL), "plan", "dev", "--set", change]
    times = interleaved(
        {
            "flowrexctl": [Command(ours, cluster.project, environ)],
            "levant": [
                Command(
                    [levant, "plan", "-ignore-no-changes", f"-address={address}", str(template)],
                    folder,
                    peer_environ,
                )
                for template in peers.levant_templates(jobs, folder)
            ],
            "nomad-pack": [
                Command(
                    [pack, "plan", str(peers.pack(job, packs))],
                    folder,
                    peer_environ,
                    accepted=(0, 1),
                )
                for job in jobs
            ],
        },
        ROUNDS,
    )
    both = times["levant"] + times["nomad-pack"]
    ratio = times["flowrexctl"] / both
    return [
        Figure(
            f"plan dev, {len(jobs)} jobs, against levant and nomad-pack together, job by job",
            f"{times['flowrexctl'] * 1e3:.0f} ms / ({times['levant'] * 1e3:.0f} + "
            f"{times['nomad-pack'] * 1e3:.0f}) ms = {ratio:.2f}",
            "less than 1",
            ratio < 1,
        ),
        Figure(
            f"plan dev, {len(jobs)} jobs, against levant alone, job by job",
            f"{times['flowrexctl'] * 1e3:.0f} ms / {times['levant'] * 1e3:.0f} ms = "
            f"{times['flowrexctl'] / times['levant']:.2f}",
        ),
    ]
