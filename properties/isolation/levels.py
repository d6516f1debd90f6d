"""Isolation levels, what each forbids, and what is left of them once something forbidden was found.

A level is defined by the phenomena that must not occur (Adya 1999, "Weak Consistency", chapters 3 and 4), so an anomaly rules out
every level that forbids it, and with a level every stronger one.  What nobody found is no proof: a level *stands* if nothing that
was found rules it out.

Most of the table is Adya's: PL-1 forbids G0, PL-2 G1, PL-2+ (consistent view) G-single, PL-2.99 (repeatable read) G2-item, PL-3
all of G2.  The rest, with its reasons:

- Snapshot isolation forbids every cycle in which no two read-write edges are adjacent (Cerone & Gotsman 2016), not only those with a
  single one.  A read-write edge says that the reader's snapshot was taken before the writer's commit, any other edge that a commit
  came before a snapshot; so each pair of them moves on in time, and cannot come round.  The same argument holds with the order of a
  session or of real time among the other edges: strong session and strong snapshot isolation (Daudjee & Salem 2006).
- A transaction that contradicts itself (`internal`) cannot be among those that read from one snapshot or hold their locks: it rules
  out snapshot isolation, repeatable read and whatever is stronger (Cerone et al. 2015, axiom INT).  Under read committed
  two reads may well differ.
- A lost update rules out cursor stability (Adya; Bailis et al. 2014).
- Lists know more than registers.  A dirty update carries an aborted append into a committed list; reads whose lists
  contradict each other cannot all be of committed states; who reads what he will only write later reads from himself, a cycle
  of one.  All three are filed under G1, as Kingsbury & Alvaro do (2020, "Elle").  An element that occurs twice, a value that nobody wrote
  and versions that go in a circle fit no history in Adya's sense, so they rule out everything.

- Parallel snapshot isolation forbids cycles with fewer than two read-write edges, the order of sessions among the others (Cerone &
  Gotsman 2016): G-single-process.
- Monotonic atomic view, read atomicity and causal consistency are no matter of such cycles; `weak.py` says what they are.  The latter
  two have the order of sessions in them, so plain serializability, which may put a session's transactions in any order, implies neither.

`-process` adds the order of operations within each process to the dependencies, `-realtime` the order of real time.  A read-write
cycle here is always one of single items: these workloads have no predicates, so what distinguishes G2 from G2-item cannot occur.
For the same reason G-single, defined with predicates in mind, counts as G2-item too.

Other levels that have names are not listed, since their own phenomena are not searched for: update serializability and forward consistent
view (Adya), monotonic snapshot reads, prefix consistency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["ANOMALIES", "LEVELS", "implied", "ruled_out", "strongest"]

LEVELS: Mapping[str, tuple[str, ...]] = {
    "strict-serializable": ("strong-session-serializable", "strong-snapshot-isolation"),
    "strong-session-serializable": ("serializable", "strong-session-snapshot-isolation"),
    "strong-snapshot-isolation": ("strong-session-snapshot-isolation", "strong-read-committed"),
    "serializable": ("repeatable-read", "snapshot-isolation"),
    "strong-session-snapshot-isolation": ("snapshot-isolation", "parallel-snapshot-isolation"),
    "strong-read-committed": ("strong-session-read-committed", "strong-read-uncommitted"),
    "parallel-snapshot-isolation": ("consistent-view", "causal-consistency"),
    "causal-consistency": ("read-atomic",),
    "read-atomic": ("strong-session-monotonic-atomic-view",),
    "strong-session-monotonic-atomic-view": ("monotonic-atomic-view", "strong-session-read-committed"),
    "snapshot-isolation": ("consistent-view",),
    "repeatable-read": ("cursor-stability", "monotonic-atomic-view"),
    "consistent-view": ("cursor-stability", "monotonic-atomic-view"),
    "cursor-stability": ("read-committed",),
    "strong-session-read-committed": ("read-committed", "strong-session-read-uncommitted"),
    "strong-read-uncommitted": ("strong-session-read-uncommitted",),
    "monotonic-atomic-view": ("read-committed",),
    "read-committed": ("read-uncommitted",),
    "strong-session-read-uncommitted": ("read-uncommitted",),
    "read-uncommitted": (),
}
"""Every level, strongest first, with those that it implies directly."""

FORBIDDEN: Mapping[str, tuple[str, ...]] = {
    "read-uncommitted": ("garbage-read", "duplicate-elements", "cyclic-versions", "G0"),
    "read-committed": ("G1a", "dirty-update", "incompatible-order", "G1b", "future-read", "G1c"),
    "cursor-stability": ("lost-update",),
    "consistent-view": ("G-single",),
    "repeatable-read": ("internal", "G2-item"),
    "snapshot-isolation": ("internal", "G-nonadjacent"),
    "monotonic-atomic-view": ("OTV",),
    "strong-session-monotonic-atomic-view": ("OTV-process",),
    "read-atomic": ("internal", "fractured-read"),
    "causal-consistency": ("causality-violation",),
    "parallel-snapshot-isolation": ("internal", "G-single-process"),
    "strong-session-read-uncommitted": ("G0-process",),
    "strong-session-read-committed": ("G1c-process",),
    "strong-session-snapshot-isolation": ("G-nonadjacent-process",),
    "strong-session-serializable": ("G2-item-process",),
    "strong-read-uncommitted": ("G0-realtime",),
    "strong-read-committed": ("G1c-realtime",),
    "strong-snapshot-isolation": ("G-nonadjacent-realtime",),
    "strict-serializable": ("G2-item-realtime",),
}
"""What each level forbids beyond the weaker ones; see `implied` for what else these anomalies follow from."""

CYCLES = ("G0", "G1c", "G-single", "G-nonadjacent", "G2-item")

SUFFIXES = ("", "-process", "-realtime")

ANOMALIES: tuple[str, ...] = (
    "garbage-read",
    "duplicate-elements",
    "cyclic-versions",
    "G0",
    "G1a",
    "dirty-update",
    "incompatible-order",
    "G1b",
    "future-read",
    "G1c",
    "internal",
    "lost-update",
    "G-single",
    "G-nonadjacent",
    "G2-item",
    *(f"{cycle}{suffix}" for suffix in SUFFIXES[1:] for cycle in CYCLES),
    "OTV",
    "OTV-process",
    "fractured-read",
    "causality-violation",
)
"""Every kind of anomaly, the gravest first, but for the last four: they are told where no cycle says more."""

FOLLOWS: Mapping[str, tuple[str, ...]] = {"G0": ("G1c",), "G-single": ("G-nonadjacent",), "G-nonadjacent": ("G2-item",)}
"""A cycle of the first kind is one of the others as well."""

WEAKER: Mapping[str, tuple[str, ...]] = {
    "OTV": ("OTV-process",),
    "OTV-process": ("fractured-read",),
    "fractured-read": ("causality-violation",),
}
"""The same of the anomalies of `weak.py`: each level there sees all that the one before it does."""


def _directly_implied(anomaly: str) -> list[str]:
    for place, suffix in reversed([*enumerate(SUFFIXES)]):
        if anomaly.endswith(suffix) and anomaly.removesuffix(suffix) in CYCLES:
            cycle = anomaly.removesuffix(suffix)
            weaker = [f"{cycle}{SUFFIXES[place + 1]}"] if place + 1 < len(SUFFIXES) else []
            return weaker + [f"{other}{suffix}" for other in FOLLOWS.get(cycle, ())]
    return [*WEAKER.get(anomaly, ())]


def implied(anomalies: Iterable[str]) -> frozenset[str]:
    """These anomalies and all that follow from them.

    A process is a single thread, so its order is part of real time, and `G0` implies `G0-process` implies `G0-realtime`.
    """
    found = [*anomalies]
    for anomaly in found:
        found += [other for other in _directly_implied(anomaly) if other not in found]
    return frozenset(found)


def ruled_out(anomalies: Iterable[str]) -> tuple[str, ...]:
    """The levels that cannot hold where these anomalies were found, strongest first."""
    present = implied(anomalies)
    return tuple(level for level in LEVELS if any(not present.isdisjoint(FORBIDDEN.get(weaker, ())) for weaker in _down_from(level)))


def strongest(anomalies: Iterable[str]) -> tuple[str, ...]:
    """The strongest levels that still stand: those that no other one that stands implies."""
    out = ruled_out(anomalies)
    standing = [level for level in LEVELS if level not in out]
    covered = {weaker for level in standing for weaker in _down_from(level)[1:]}
    return tuple(level for level in standing if level not in covered)


def _down_from(level: str) -> list[str]:
    """A level and all that it implies."""
    found = [level]
    for one in found:
        found += [weaker for weaker in LEVELS[one] if weaker not in found]
    return found
