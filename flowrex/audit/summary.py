"""What the proof needs of one segment, whether it was read or its removal was told. Pure.

A segment is removed when its time is over. The agent's record of that keeps what ties the segment
to its neighbours, so that the proof goes on over the gap as if the segment were there: by number,
by the file's bytes and by its records' chains. A gap that no such record fills exactly is a break.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowrex.audit.record import Detail
from flowrex.audit.segment import PREFIX, Head, SegmentDamaged, parse_file_id

# A record of a removal has to fit into a line. A segment with more chains has several.
_RUNS_IN_A_RECORD = 1000


@dataclass(frozen=True)
class Run:
    """Records of one chain that follow each other without a gap, in one segment.

    Attributes:
        first: the number of the first one.
        prev: the hash that it names.
        last: the number of the last one.
        hash: that one's hash.
    """

    first: int
    prev: str
    last: int
    hash: str


@dataclass(frozen=True)
class Summary:
    """What ties a segment to the others.

    Attributes:
        key: its name.
        head: what it says of itself; of a removed one, what its place follows from.
        digest: its SHA-256.
        runs: by chain, the records in it.
    """

    key: str
    head: Head
    digest: str
    runs: Mapping[str, Run]


def told(summary: Summary, moved_to: str | None) -> Iterator[dict[str, Detail]]:
    """Yield the details of the records that tell of a segment's removal; mostly it is one.

    Args:
        summary: the segment.
        moved_to: the bucket that it is moved to; None where it is only removed.
    """
    runs = [
        f"{chain} {run.first} {run.prev} {run.last} {run.hash}"
        for chain, run in summary.runs.items()
    ]
    for at in range(0, max(1, len(runs)), _RUNS_IN_A_RECORD):
        yield {
            "number": summary.head.number,
            "digest": summary.digest,
            "class": summary.head.category,
            "key": summary.key,
            "moved_to": moved_to,
            "predecessor": summary.head.predecessor,
            "origin": summary.head.origin,
            "end": summary.head.end,
            "runs": ",".join(runs[at : at + _RUNS_IN_A_RECORD]),
        }


def removed(detail: Mapping[str, Any]) -> Summary:
    """Return the segment whose removal a record tells of, as far as the record knows it.

    Args:
        detail: the record's details.

    Raises:
        SegmentDamaged: they tell of no segment.
    """
    try:
        key = str(detail["key"])
        node, category, file, name = key.removeprefix(PREFIX).split("/")
        head = Head(
            node=node,
            category=category,
            number=int(detail["number"]),
            predecessor=str(detail["predecessor"]),
            file=parse_file_id(file),
            path="",
            origin=int(detail["origin"]),
            start=int(name.partition(".")[0]),
            end=int(detail["end"]),
            lines=0,
            quarantined=0,
            content="",
            created="",
        )
        runs = dict(_run(text) for text in str(detail["runs"]).split(",") if text)
    except (ValueError, KeyError, TypeError) as error:
        raise SegmentDamaged("a record of a removal does not tell of which segment") from error
    return Summary(key, head, str(detail["digest"]), runs)


def _run(text: str) -> tuple[str, Run]:
    chain, first, prev, last, digest = text.split(" ")
    return chain, Run(int(first), prev, int(last), digest)
