"""How operators' requests are taken and kept."""

from __future__ import annotations

from dataclasses import dataclass

from flowrex.settings.declare import Duration, setting


@dataclass(frozen=True, kw_only=True)
class Requests:
    """Operators' requests, under `flowrex/requests/<node>/` in Consul."""

    max_age: Duration = setting(
        "Age at which a request is refused: an agent that was down must not do what nobody waits "
        "for any more."
    )
    keep: Duration = setting("Time for which answers, and what was done, are remembered.")
    silence: Duration = setting(
        "Time after which a request's work that tells nothing is taken for stuck, and the agent "
        "restarted."
    )
