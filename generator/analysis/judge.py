"""Is the canary as good as the stable version? Decided from numbers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from flowrex.duration import seconds
from generator.environment.model import Analysis

# `promote`: nothing speaks against it. `hold`: too little is known. `fail`: it is worse.
Kind = Literal["promote", "hold", "fail"]


@dataclass(frozen=True)
class Sample:
    """What was seen of some instances in the time that is looked at.

    Attributes:
        requests: how many they answered.
        errors: how many of these with a status of 500 and above.
        p95_s: seconds within which 95 of 100 were answered; None where too few were.
    """

    requests: float
    errors: float
    p95_s: float | None

    @property
    def error_percent(self) -> float:
        """The share of errors, in percent; 0 where nothing was asked."""
        return 100 * self.errors / self.requests if self.requests else 0.0


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        name: what is compared.
        canary: the canary's number, as text.
        stable: the stable version's, as text; empty where there is none.
        limit: what the canary may reach.
        kind: what it speaks for.
    """

    name: str
    canary: str
    stable: str
    limit: str
    kind: Kind


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes:
        kind: what is to be done.
        rows: every comparison.
    """

    kind: Kind
    rows: tuple[Row, ...]

    @property
    def reasons(self) -> list[str]:
        """A sentence for each comparison that speaks against promotion."""
        return [
            f"{row.name} is {row.canary}"
            + (f", {row.stable} in the stable version" if row.stable else "")
            + f" ({row.limit})"
            for row in self.rows
            if row.kind != "promote"
        ]

    def as_document(self) -> Mapping[str, object]:
        """Return what `--json` prints."""
        return {"verdict": self.kind, "rows": [vars(row) for row in self.rows]}


def judge(
    rules: Analysis,
    canary: Sample,
    stable: Sample,
    *,
    restarts: int,
    against: Mapping[str, Sequence[str]],
) -> Verdict:
    """Compare the canary with the stable version.

    Args:
        rules: the limits.
        canary: what was seen of the canary.
        stable: what was seen of the stable version in the same time.
        restarts: how often the canary's tasks were restarted.
        against: each query of the environment's own to what it gave; anything speaks against it.
    """
    rows = [
        _traffic(rules, canary),
        _errors(rules, canary, stable),
        _slowness(rules, canary, stable),
        Row(
            "restarts", str(restarts), "", f"at most {rules.max_restarts}",
            "fail" if restarts > rules.max_restarts else "promote",
        ),
        *(
            Row(name, "; ".join(found) or "nothing", "", "must give nothing",
                "fail" if found else "promote")
            for name, found in against.items()
        ),
    ]  # fmt: skip
    kinds = {row.kind for row in rows}
    kind: Kind = "fail" if "fail" in kinds else "hold" if "hold" in kinds else "promote"
    return Verdict(kind, tuple(rows))


def _traffic(rules: Analysis, canary: Sample) -> Row:
    enough = canary.requests >= rules.min_requests
    limit = f"at least {rules.min_requests}"
    return Row("requests", f"{canary.requests:.0f}", "", limit, "promote" if enough else "hold")


def _errors(rules: Analysis, canary: Sample, stable: Sample) -> Row:
    more = canary.error_percent - stable.error_percent
    # One error of three requests is a third, and says nothing.
    bad = canary.requests >= rules.min_requests and more > rules.max_error_percent
    return Row(
        "errors",
        f"{canary.error_percent:.2f} %",
        f"{stable.error_percent:.2f} %",
        f"at most {rules.max_error_percent} % more",
        "fail" if bad else "promote",
    )


def _slowness(rules: Analysis, canary: Sample, stable: Sample) -> Row:
    limit = f"at most {rules.max_p95_percent} % of it, or {rules.p95_floor}"
    if canary.p95_s is None:
        return Row("p95", "not known", _ms(stable.p95_s), limit, "hold")
    kind: Kind = "promote"
    if canary.requests >= rules.min_requests and canary.p95_s > seconds(rules.p95_floor):
        if stable.p95_s is None or stable.requests < rules.min_requests:
            # Whether that is slow for this machine and load, only the stable version could tell.
            kind = "hold"
        elif canary.p95_s > stable.p95_s * rules.max_p95_percent / 100:
            kind = "fail"
    return Row("p95", _ms(canary.p95_s), _ms(stable.p95_s), limit, kind)


def _ms(value_s: float | None) -> str:
    return "not known" if value_s is None else f"{1000 * value_s:.0f} ms"
