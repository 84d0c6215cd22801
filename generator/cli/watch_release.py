"""`flowrexctl watch-release`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from flowrex.command import output
from flowrex.errors import DeploymentFailed, ServerUnreachable, UsageError
from generator.cli import context
from generator.cli.options import environment_options, is_duration

if TYPE_CHECKING:
    from datetime import datetime

    from generator.postdeploy.first_day import Reading, Said
    from generator.release import Release


@click.command("watch-release")
@environment_options
@click.option(
    "--for",
    "length",
    metavar="DURATION",
    callback=is_duration,
    help="How long after its beginning; 24h.",
)
@click.option("--every", metavar="DURATION", callback=is_duration, help="Time between two looks.")
@click.option("--once", is_flag=True, help="Look once, and do not wait for what goes on too long.")
def command(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    length: str | None,
    every: str | None,
    once: bool,
) -> None:
    """Watch the newest release of ENV for its first 24 hours.

    Looks every `watching.every` at the share of failed requests, the latency, whether memory grows,
    the database connections, the orders that the broker refuses, restarts, alerts, backups and
    certificates, and says what is wrong. What is wrong for `watching.patience` looks in a row ends
    it with exit 5. It can be ended and begun again at any time: the time counts from the release's
    own beginning. With --json one document a line, one for each look.

    \b
    Exit status:
      0  the time is over, and nothing has been wrong for long
      5  something has; the last line says what
      6  Prometheus, Nomad or Consul did not answer for as many looks

    \b
    Examples:
      flowrexctl watch-release prod
      flowrexctl watch-release prod --for 1h --every 1m
      flowrexctl watch-release prod --once --json
    """
    from datetime import UTC, datetime

    from flowrex.duration import seconds
    from generator import access, release
    from generator.postdeploy import first_day, readings
    from generator.postdeploy.ground import ground_of
    from generator.watch import SystemClock

    environment = context.load_environment(environment_name, overrides)
    limits = environment.watching
    nomad, consul = access.nomad(environment), access.consul(environment)
    watched = _newest(release.history(consul, environment.name), environment.name)
    since = datetime.fromisoformat(watched.started)
    age_s = (datetime.now(UTC) - since).total_seconds()
    every_s = seconds(every or limits.every)
    clock = SystemClock()
    left_s = max(0.0, seconds(length or limits.length) - age_s)
    output.say(f"{watched.id}, {watched.kind} of {watched.version or '-'} by {watched.who}")
    standing = first_day.Standing(1 if once else limits.patience)
    first: Reading | None = None
    away = 0
    now = clock.now()
    for at in first_day.times(now, now if once else now + left_s, every_s):
        clock.sleep(max(0.0, at - clock.now()))
        ground = ground_of(environment, context.project_root(), nomad, consul, since=since)
        try:
            reading = readings.read(ground, every_s)
        except ServerUnreachable as error:
            away += 1
            if once or away >= limits.patience:
                raise
            output.say(f"{error.message}; looking again")
            continue
        away = 0
        first = first or reading
        said = first_day.judge(reading, first, limits)
        standing.add(said)
        _show(reading, said, since, as_json=as_json)
        if standing.counts:
            raise DeploymentFailed(
                f"{', '.join(standing.counts)}: wrong for {1 if once else limits.patience} looks",
                hint=f"flowrexctl status {environment.name}; the release before: "
                f"flowrexctl rollback {environment.name}",
            )
    output.say("Nothing was wrong for long.")


def _newest(records: list[Release], environment: str) -> Release:
    ended = (one for one in records if one.outcome in {"done", "failed", "canary"})
    found = next((one for one in ended if one.kind != "restore"), None)
    if found is None:
        raise UsageError(
            f"no release of {environment} has ended, so that it could be watched",
            hint=f"flowrexctl status {environment}",
        )
    return found


def _show(reading: Reading, said: list[Said], since: datetime, *, as_json: bool) -> None:
    from generator.postdeploy import first_day

    if as_json:
        document: dict[str, Any] = {
            "at": reading.at.isoformat(timespec="seconds"),
            "well": all(one.kind == "well" for one in said),
            "looks": [{"name": one.name, "kind": one.kind, "text": one.text} for one in said],
        }
        output.emit_line(document)
        return
    wrong = any(one.kind != "well" for one in said)
    output.show(click.style(first_day.headline(reading, said, since), fg="red" if wrong else None))
