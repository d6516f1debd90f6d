"""What is known of each host as a trace goes by: up or down, its role, who it is cut off from; and for how long.

One fold over the events serves the table of host states at a moment (`states_at`) and the colouring of lanes (`spans`), so the
picture and the words cannot disagree.  Only what hosts observed of themselves and what the world did to them enters.  Partitions
concern several hosts at once, so `cuts` tells them apart from lanes: who was inside, who outside, and what no longer got through.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ..properties.history import Value
from ..sim.trace import TraceEvent
from .wording import link_pairs, value_text

__all__ = ["TERMS", "Cut", "HostState", "Span", "cuts", "spans", "states_at"]

TERMS = ("term", "view", "epoch", "ballot")
"""Names under which protocols observe the number of a leadership."""


class HostState(msgspec.Struct):
    """One host at a moment.  `status` is up, down, paused, crashed, exited or absent (not yet started).

    `observed` merges what the present incarnation has observed; `cut_to` and `cut_from` count the cuts on the links to, and
    from, each peer: a link works again when every fault that cut it has ended.
    """

    host: str
    status: str = "absent"
    incarnation: int = 0
    observed: dict[str, Value] = {}
    cut_to: dict[str, int] = {}
    cut_from: dict[str, int] = {}

    @property
    def role(self) -> str:
        """What it last observed as its role; empty if it did not."""
        return value_text(self.observed.get("role", ""), 24)

    @property
    def term(self) -> str:
        """What it last observed as its term, or view, epoch, ballot, by that name: `term 3`, `view (3, 'a')`; empty if it did not."""
        return next((f"{key} {value_text(self.observed[key], 24)}" for key in TERMS if key in self.observed), "")

    @property
    def cut(self) -> str:
        """Who it is cut off from, in words; empty if from nobody."""
        both = [peer for peer in self.cut_to if peer in self.cut_from]
        to = [peer for peer in self.cut_to if peer not in self.cut_from]
        back = [peer for peer in self.cut_from if peer not in self.cut_to]
        parts = ((both, "from"), (to, "towards"), (back, "against"))
        words = " and ".join(f"{preposition} {' '.join(peers)}" for peers, preposition in parts if peers)
        return f"cut {words}" if words else ""

    def describe(self) -> str:
        """`up  incarnation 2  role=leader term=3`, without the host's name."""
        words = [self.status, *([f"incarnation {self.incarnation}"] if self.incarnation > 1 else [])]
        words += [f"{key}={value_text(value, 80)}" for key, value in self.observed.items()]
        return "  ".join([*words, *([self.cut] if self.cut else [])])


_STATUS = {"start": "up", "restart": "up", "resume": "up", "pause": "paused", "kill": "down", "power-loss": "down"}
_STATUS |= {"crash": "crashed", "exit": "exited"}


class _Fold:
    """The hosts' states, as far as events were applied."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self.states = {host: HostState(host) for host in hosts}

    def state(self, host: str) -> HostState:
        return self.states.setdefault(host, HostState(host))

    def apply(self, event: TraceEvent) -> list[HostState]:
        """Take the next event; the states that it may have changed."""
        if event.kind in ("cut", "heal"):
            return self._links(event)
        if event.kind == "calm":
            return self._heal_all()
        if event.host is None:
            return []
        state = self.state(event.host)
        if event.kind == "observe":
            state.observed.update(event.detail)
        elif event.kind in _STATUS:
            state.status = _STATUS[event.kind]
            if event.kind in ("start", "restart"):
                incarnation = event.detail.get("incarnation")
                state.incarnation = incarnation if isinstance(incarnation, int) else state.incarnation + 1
                state.observed = {}
        else:
            return []
        return [state]

    def _links(self, event: TraceEvent) -> list[HostState]:
        touched: dict[str, HostState] = {}
        for sender, to in link_pairs(event.detail):
            source, target = self.state(sender), self.state(to)
            for links, peer in ((source.cut_to, to), (target.cut_from, sender)):
                count = links.pop(peer, 0) + (1 if event.kind == "cut" else -1)
                if count > 0:
                    links[peer] = count
            touched[sender], touched[to] = source, target
        return list(touched.values())

    def _heal_all(self) -> list[HostState]:
        for state in self.states.values():
            state.cut_to, state.cut_from = {}, {}
        return list(self.states.values())


def states_at(events: Iterable[TraceEvent], hosts: Iterable[str], at: float) -> dict[str, HostState]:
    """The state of every host after all events up to and including time `at` (virtual seconds).  Cost: one pass."""
    fold = _Fold(hosts)
    for event in events:
        if event.time > at:
            break
        fold.apply(event)
    return fold.states


class Span(msgspec.Struct, frozen=True):
    """A stretch of one lane, from the event at position `top` to the one at position `bottom` (their number: to the end).

    `kind` is `role` (alive; `role` and `term` say what it took itself for), `down` or `paused`; `label` says it in a word.  A term
    comes with its name: `term 3`, `view 7`.
    """

    host: str
    kind: str
    top: int
    bottom: int
    label: str = ""
    role: str = ""
    term: str = ""


def spans(events: Sequence[TraceEvent], hosts: Iterable[str]) -> list[Span]:
    """The spans of all lanes, in the order in which they end.  Cost: one pass."""
    fold = _Fold(hosts)
    found: list[Span] = []
    current: dict[tuple[str, str], Span] = {}

    def change(track: str, span: Span | None, host: str, place: int) -> None:
        old = current.get((host, track))
        if old is not None and span is not None and msgspec.structs.replace(span, top=old.top, bottom=old.bottom) == old:
            return
        if old is not None and place > old.top:
            found.append(msgspec.structs.replace(old, bottom=place))
        if span is None:
            current.pop((host, track), None)
        else:
            current[host, track] = span

    for place, event in enumerate(events):
        for state in fold.apply(event):
            for track, span in _tracks(state, place):
                change(track, span, state.host, place)
    for host, track in list(current):
        change(track, None, host, len(events))
    return found


def _tracks(state: HostState, top: int) -> list[tuple[str, Span | None]]:
    """What each of a lane's tracks shows for this state."""
    host = state.host
    alive = state.status in ("up", "paused")
    role = Span(host, "role", top, top, role=state.role, term=state.term) if alive else None
    halt = None
    if state.status == "paused":
        halt = Span(host, "paused", top, top, "paused")
    elif state.status in ("down", "crashed", "exited"):
        halt = Span(host, "down", top, top, state.status)
    return [("role", role), ("halt", halt)]


class Cut(msgspec.Struct, frozen=True):
    """A partition, from the event at position `top` to the one at position `bottom`: no message crosses between `inside`, the
    part that was cut off, and `outside`; or only none outwards (`way` is `out`) or none inwards (`in`)."""

    top: int
    bottom: int
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    way: str

    def describe(self) -> str:
        """`nothing from n1 reaches n2 n3`, `no messages between n1 and n2 n3`."""
        inside, outside = " ".join(self.inside), " ".join(self.outside)
        if self.way == "both":
            return f"no messages between {inside} and {outside}"
        return f"nothing from {inside} reaches {outside}" if self.way == "out" else f"nothing from {outside} reaches {inside}"


def cuts(events: Sequence[TraceEvent]) -> list[Cut]:
    """The partitions of a trace, in the order in which they begin.  A cut without links is none."""
    found: list[Cut] = []
    links: list[list[tuple[str, str]]] = []
    for place, event in enumerate(events):
        pairs = link_pairs(event.detail) if event.kind in ("cut", "heal") else []
        if event.kind == "cut" and pairs:
            found.append(_cut(place, len(events), pairs, event.detail.get("inside")))
            links.append(pairs)
        for number, cut in enumerate(found):
            healed = event.kind == "calm" or (event.kind == "heal" and links[number] == pairs)
            if healed and cut.bottom == len(events):
                found[number] = msgspec.structs.replace(cut, bottom=place)
                if event.kind == "heal":
                    break
    return found


def _cut(top: int, bottom: int, pairs: Sequence[tuple[str, str]], named: Value) -> Cut:
    """Sides and direction from the links; whoever is not named as inside is outside.  Where nobody is named, the hosts that
    share the first sender's peers are one side, and the smaller side is inside."""
    hosts = list(dict.fromkeys(name for pair in pairs for name in pair))
    inside = [name for name in hosts if isinstance(named, (tuple, list)) and name in named]
    if not inside:
        peers = {name: {b if a == name else a for a, b in pairs if name in (a, b)} for name in hosts}
        one = [name for name in hosts if peers[name] == peers[pairs[0][0]]]
        other = [name for name in hosts if name not in one]
        inside = min((one, other), key=len) if other else one
    outside = [name for name in hosts if name not in inside]
    outward, inward = any(a in inside for a, _ in pairs), any(b in inside for _, b in pairs)
    return Cut(top, bottom, tuple(inside), tuple(outside), "both" if outward == inward else "out" if outward else "in")
