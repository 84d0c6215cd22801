"""What `pgbackrest verify` found.

It leaves with status 0 also where a file is broken, so that its words are what counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_STATUS = re.compile(r"status: (\w+)")
_COUNT = re.compile(r"(missing|checksum invalid|size invalid|other): (\d+)")


@dataclass(frozen=True)
class Verification:
    """What was found when every byte was read.

    Attributes:
        good: whether all of it was right.
        problems: what was not, in pgBackRest's words.
    """

    good: bool
    problems: tuple[str, ...] = ()


def parse(text: str) -> Verification:
    """Return what `verify --output=text --verbose` found.

    Whatever is not clearly good is not.
    """
    status = _STATUS.search(text)
    problems: list[str] = []
    part = ""
    for line in (line.strip() for line in text.splitlines()):
        counts = {name: int(count) for name, count in _COUNT.findall(line)}
        if line.startswith(("archiveId:", "backup:")):
            part = line.split(",")[0]
            if "status: invalid" in line or "status: in-progress" in line:
                problems.append(line)
        problems += [f"{part}: {name}: {count}" for name, count in counts.items() if count]
    if status is None:
        problems.append("pgBackRest does not say how it ended")
    elif status[1] != "ok" and not problems:
        problems.append(f"pgBackRest says {status[1]}")
    return Verification(not problems, tuple(problems))
