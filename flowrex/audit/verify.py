"""The proof that nothing was removed, reordered or changed. Pure.

Each object is examined by itself (`proof.examine`), in any order, and leaves a small `Proof`.
`join` lays the proofs side by side and names what does not fit:

- each node's segments form one chain: number by number, each naming the SHA-256 of the one before;
- each file's segments follow without a gap or an overlap;
- each writer's records form one chain, over however many files and segments it goes.

A segment that is missing is accepted only where the agent's own records say that it was removed
because its time was over. They tell enough of it to lay it between its neighbours: what is removed
and told hides nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from flowrex.audit.proof import Break, Proof, collect, misfit
from flowrex.audit.record import NO_PREVIOUS
from flowrex.audit.segment import NO_PREDECESSOR, FileId
from flowrex.audit.summary import Run, Summary


@dataclass(frozen=True)
class Tip:
    """What an agent said elsewhere of its chain's end.

    Attributes:
        number: the last segment's number.
        digest: its SHA-256.
    """

    number: int
    digest: str


def join(
    proofs: Sequence[Proof], *, partial: bool = False, tips: Mapping[str, Tip] | None = None
) -> list[Break]:
    """Return every place where the proofs do not fit together, the first one first.

    Args:
        proofs: of all segments, in any order.
        partial: only the newer part of the trail was read: chains may begin anywhere.
        tips: by node, where its chain must reach to.
    """
    breaks: list[Break] = []
    by_node: dict[str, list[Proof]] = defaultdict(list)
    for proof in proofs:
        by_node[proof.head.node].append(proof)
    known = {node: _with_removed(own, partial) for node, own in by_node.items()}
    for node, own in known.items():
        breaks += _node_chain(node, own, partial)
        breaks += _files(own, partial)
        breaks += _record_chains(own, partial)
    for node, tip in (tips or {}).items():
        breaks += _reaches(node, known.get(node, []), tip)
    return sorted(breaks)


def _with_removed(own: Sequence[Proof], partial: bool) -> list[Summary]:
    """Return a node's segments by number, the removed ones that its records tell of among them."""
    expired: dict[int, Summary] = {}
    for proof in sorted(own, key=lambda one: one.head.number):
        for told in proof.expired.values():
            if told.head.node == proof.head.node:
                collect(expired, told)
    there = {proof.head.number for proof in own}
    first = min(there) if partial else 0
    gone = [one for number, one in expired.items() if number not in there and number > first]
    return sorted([*own, *gone], key=lambda one: one.head.number)


def _node_chain(node: str, own: Sequence[Summary], partial: bool) -> Iterator[Break]:
    number, digest = (0, NO_PREDECESSOR)
    if partial and own:
        number, digest = own[0].head.number - 1, own[0].head.predecessor
    for proof in own:
        head = proof.head
        if head.number <= number:
            yield Break(node, head.number, proof.key, "another segment has this number as well")
            continue
        if head.number > number + 1:
            yield Break(node, number + 1, "", _gone(number + 1, head.number - 1))
        elif head.predecessor != digest:
            yield Break(
                node,
                head.number,
                proof.key,
                f"it names another segment {head.number - 1} than the one before it: "
                "one of the two was put there later",
            )
        number, digest = head.number, proof.digest


def _gone(first: int, last: int) -> str:
    if first == last:
        return f"segment {first} is missing, and no record says that its time was over"
    return f"segments {first} to {last} are missing, and no record says that their time was over"


def _files(own: Sequence[Summary], begins_anywhere: bool) -> Iterator[Break]:
    files: dict[FileId, list[Summary]] = defaultdict(list)
    for proof in own:
        files[proof.head.file].append(proof)
    for segments in files.values():
        segments.sort(key=lambda proof: proof.head.start)
        first = segments[0].head
        if first.start != first.origin and not begins_anywhere:
            yield _file_break(segments[0], first.origin)
        for before, after in pairwise(segments):
            if after.head.start > before.head.end and not begins_anywhere:
                yield _file_break(after, before.head.end)
            elif after.head.start < before.head.end:
                yield Break(
                    after.head.node,
                    after.head.number,
                    after.key,
                    f"its bytes from {after.head.start} on are in {before.key} as well",
                )


def _file_break(proof: Summary, expected: int) -> Break:
    head = proof.head
    return Break(
        head.node,
        head.number,
        proof.key,
        f"bytes {expected} to {head.start} of {head.path or head.file} are missing before it",
    )


def _record_chains(own: Sequence[Summary], begins_anywhere: bool) -> Iterator[Break]:
    chains: dict[str, list[tuple[Run, Summary]]] = defaultdict(list)
    for proof in own:
        for chain, run in proof.runs.items():
            chains[chain].append((run, proof))
    for chain, runs in chains.items():
        runs.sort(key=lambda one: (one[0].first, one[1].head.number))
        first, proof = runs[0]
        begins = first.first == 1 and first.prev == NO_PREVIOUS
        if not begins and not begins_anywhere:
            yield _record_break(
                proof, f"the chain {chain} begins with record {first.first}: those before are gone"
            )
        for (before, _), (after, proof) in pairwise(runs):
            missing = after.first > before.last + 1
            if missing and begins_anywhere:
                continue
            if problem := misfit(before, after.first, after.prev, chain):
                yield _record_break(proof, problem)


def _record_break(proof: Summary, problem: str) -> Break:
    return Break(proof.head.node, proof.head.number, proof.key, problem)


def _reaches(node: str, own: Sequence[Summary], tip: Tip) -> Iterator[Break]:
    last = own[-1] if own else None
    reached = last.head.number if last else 0
    if reached < tip.number:
        gone = _gone(reached + 1, tip.number)
        yield Break(node, reached + 1, "", f"{gone}; the agent says that it has shipped them")
        return
    for proof in own:
        if proof.head.number == tip.number and proof.digest != tip.digest:
            yield Break(node, tip.number, proof.key, "it is not the segment that the agent shipped")
