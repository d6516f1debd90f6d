"""Key-value stores whose texts are all different: linearizable or not in O(n log n), with puts, appends and gets.

A get returns the whole text of a key: what was put, and what was appended since, in order.  If no two texts that were put or appended are
equal, and none begins with another, a value can be taken apart in one way only, from the left; so a get names the whole order of
the appends before it, back to the put with which they began.

So a key's values form **chains**, as those of registers with compare-and-sets do (see `chains`): put(a), gets of a, append(b), gets of
ab, append(c), gets of abc, ...  An append that was seen after ab is a compare-and-set from ab to abc: nothing else changed the value in
between.  The first chain begins with no put but with what a missing key holds, before everything.  A put or an append that no get
shows is a chain of its own: whenever it took effect, no get that shows anything of another chain without it can have seen the value
after it, until the next put.

**When it is linearizable.**  If and only if

1. every value that was returned is made of texts that were put or appended, one put at most, at its beginning, and each text once;
   of two values that begin alike one begins with the other, and no text was appended in two chains;
2. within a chain no operation returned before one of an earlier segment was called, where put(a), gets of a, append(b), ... are the
   segments;
3. the chains, taken as wholes, pass the test of `zones`.

*Necessary.*  1 and 2 are what was just said.  Between the first and the last operation of a chain nothing of another can come: a put
would end the value for good, as it happens once, and an append would show.  So of two chains one comes before the other entirely, which 3
asks for (`chains` has the argument).  *Sufficient.*  `chains` shows that 2 and 3 give an order of the chains, and of all operations, that
respects real time.  The first chain comes first in it, as its zone begins before everything.  In that order each get of a chain follows
the put and the appends that it shows and no other operation of the chain; what an unseen append adds comes after the last get of the
chain before it, and the chain that follows begins with a put or is another unseen append.

**What nobody knows.**  A pending get says nothing.  A pending put or append that no get shows can be left out of any linearization: no get
between it and the next put shows it, so there is none.  One that a get shows happened, as nobody else wrote that text, and returns never.
So these are exact.  To append the empty text does nothing, and is left out.  Where a text occurs twice or one begins with another,
this monitor does not apply, and the search decides; without appends, it is enough that no value is put twice.

**Why.**  A violation is told by at most eight operations, however long the values are: those that exclude each other, the puts with which
their chains began, and a get for each append, which shows where it belongs.  They are a history of a store of which only a few texts count
(`Glimpse`): what each get returned is looked at as far as these texts are in it.  An order of the whole history would be one of theirs.

Cost: O(n log n + m), where m is the length of all values that were returned: comparing each with the longest of its chain is all that is
done with it.  The algorithm is ours; Elle takes lists that only grow apart likewise (Kingsbury & Alvaro 2020, "traceability").
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

from ..conflict import NEVER, NONE, Conflict, returned
from ..history import Operation, Value, render
from ..specification import Call, Refusal, Specification, State
from ..stores import KeyValue
from ..zones import NEVER_WRITTEN, Zone, overlap

__all__ = ["Glimpse", "conflict"]

SHORT = 16
"""How many operations may make up the good part of a value and be told with what is wrong in it."""


def conflict(specification: KeyValue, operations: Sequence[Operation]) -> Conflict | None:
    """The first conflict found among the operations of one key, one without operations if there is none, None if texts are ambiguous."""
    makers: dict[Value, Operation] = {}
    gets: list[Operation] = []
    appends = empty = False
    for operation in operations:
        function = operation.function
        if function == "get":
            if operation.completed is not None:
                gets.append(operation)
            continue
        text: Value = operation.argument[1]  # type: ignore[index]  # the specification has looked at it
        if function == "append":
            if text == "":
                empty = True
                continue
            appends = True
        if text in makers:
            return None
        makers[text] = operation
    missing = specification.missing
    # A get of a missing key may return nil instead.
    if missing in makers or None in makers:
        return None
    if empty and not all(isinstance(text, str) for text in (missing, *makers)):
        return None  # even nothing cannot be appended to what is no text
    texts: list[str] = []
    if appends:
        texts = sorted(text for text in makers if isinstance(text, str))
        if len(texts) < len(makers) or not isinstance(missing, str):
            return None
        if missing:
            texts.insert(bisect_right(texts, missing), missing)
        if any(map(str.startswith, islice(texts, 1, None), texts)) or not texts[0]:
            return None
    chains = _Chains(specification, makers, texts)
    return chains.read(gets) or chains.walk() or chains.clash() or NONE


class _Chain:
    """What gets say of one chain: the texts in the longest value, and when each number of them was shown."""

    __slots__ = ("first", "gets", "head", "last", "longest", "places", "texts")

    def __init__(self, head: Value) -> None:
        self.head = head  # what was put, or what a missing key holds
        self.gets: list[Operation] = []
        self.longest: Operation
        self.texts: Sequence[Value] = ()
        self.places: dict[int, int] = {}  # how many texts, by the length of what they make
        self.first: list[int] = []  # per number of texts: when the first get that shows them returned
        self.last: list[int] = []  # and when the last was called

    def place(self, value: Value) -> int:
        """How many texts a value shows."""
        return self.places[len(value)] if isinstance(value, str) and self.places else len(self.texts)


class _Chains:
    """The chains of one key.  `texts` are those that were put or appended, sorted; none if there are no appends."""

    def __init__(self, specification: KeyValue, makers: dict[Value, Operation], texts: Sequence[str]) -> None:
        self.specification = specification
        self.makers = makers
        self.texts = texts
        self.widest = max(map(len, texts), default=0)
        self.chains: dict[Value, _Chain] = {}
        self.within: dict[Value, _Chain] = {}  # per text that was seen: its chain
        self.zones: list[Zone] = []

    def read(self, gets: Iterable[Operation]) -> Conflict | None:
        """Put every get into its chain; a conflict if the values do not fit together."""
        chains, makers, texts, missing = self.chains, self.makers, self.texts, self.specification.missing
        for get in gets:
            value = get.result
            if value is None or value == missing:
                head = missing
            elif texts:
                head = texts[bisect_right(texts, value) - 1] if isinstance(value, str) else ""
                if not head or not value.startswith(head):  # type: ignore[attr-defined]  # it is a string then
                    return self._never_written(get, (), value)
                if head in makers and makers[head].function == "append":
                    if missing:
                        return self._never_written(get, (), value)
                    head = missing
            elif value in makers:
                head = value
            else:
                return self._never_written(get, (), value)
            chain = chains.get(head)
            if chain is None:
                chain = chains[head] = _Chain(head)
            chain.gets.append(get)
        for chain in chains.values():
            if not texts:
                self._whole(chain)
            elif found := self._measure(chain):
                return found
        return None

    def _whole(self, chain: _Chain) -> None:
        """A chain to which nothing was appended."""
        chain.longest = chain.gets[0]
        chain.first, chain.last = [min(map(returned, chain.gets))], [max(map(attrgetter("invoked"), chain.gets))]
        if chain.head in self.makers:
            chain.texts, self.within[chain.head] = [chain.head], chain
            chain.first.insert(0, NEVER)
            chain.last.insert(0, -1)

    def _measure(self, chain: _Chain) -> Conflict | None:
        """Find the texts of a chain in its longest value, and how many of them each get shows."""
        gets, makers, within, places = chain.gets, self.makers, self.within, chain.places
        missing = self.specification.missing
        values: list[str] = [missing if get.result is None else get.result for get in gets]  # type: ignore[misc]
        longest = max(values, key=len)
        chain.longest = gets[values.index(longest)]
        texts, rest = self._split(longest)
        length = 0
        places[0] = 0
        for number, text in enumerate(texts, 1):
            if text in within or (number > 1 and (text not in makers or makers[text].function == "put")):
                return self._misplaced(chain.longest, texts, rest) or self._twice(text, within[text], chain)
            within[text] = chain
            length += len(text)
            places[length] = number
        if rest:
            return self._never_written(chain.longest, texts, rest)
        chain.texts = texts
        first = chain.first = [NEVER] * (len(texts) + 1)
        last = chain.last = [-1] * (len(texts) + 1)
        for get, value in zip(gets, values, strict=True):
            place = places.get(len(value))
            if place is None or not longest.startswith(value):
                return self._apart(chain, texts, get)
            end: int = get.completed  # type: ignore[assignment]  # they returned
            if end < first[place]:
                first[place] = end
            called = get.invoked
            if called > last[place]:
                last[place] = called
        return None

    def _held(self, get: Operation) -> Value:
        """What a get saw: it may return nil for what a missing key holds."""
        return self.specification.missing if get.result is None else get.result

    def _value(self, get: Operation) -> str:
        return str(self._held(get))

    def _split(self, value: str) -> tuple[list[str], str]:
        """The texts that make a value, and the rest of it that nobody wrote."""
        texts, widest = self.texts, self.widest
        found: list[str] = []
        at, length = 0, len(value)
        while at < length:
            rest = value[at : at + widest]
            # No text begins with another, so only the greatest that is not greater can be it.
            text = texts[bisect_right(texts, rest) - 1]
            if not rest.startswith(text):
                break
            found.append(text)
            at += len(text)
        return found, value[at:]

    def walk(self) -> Conflict | None:
        """A conflict if a chain has no order; notes the zones."""
        makers, zones, within = self.makers, self.zones, self.within
        for chain in self.chains.values():
            first, last = chain.first, chain.last
            # What a missing key holds was there before everything.
            earliest, latest = (NEVER if chain.head in makers else -1), last[0]
            for number, text in enumerate(chain.texts, 1):
                maker = makers.get(text)
                if maker is not None:
                    end = maker.completed
                    if end is not None:
                        if end < latest:
                            return self._disorder(chain, number, maker)
                        if end < earliest:
                            earliest = end
                    if maker.invoked > latest:
                        latest = maker.invoked
                end = first[number]
                if end < latest:
                    return self._disorder(chain, number, None)
                if end < earliest:
                    earliest = end
                if last[number] > latest:
                    latest = last[number]
            zones.append((earliest, latest, chain.head))
        # What nobody saw is a chain of its own, or may be left out.
        unseen = ((maker, text) for text, maker in makers.items() if text not in within)
        zones += [(maker.completed, maker.invoked, text) for maker, text in unseen if maker.completed is not None]
        return None

    def clash(self) -> Conflict | None:
        """A conflict if two chains exclude each other."""
        found = overlap(self.zones)
        if found is None:
            return None
        left, right, why = found
        if right[0] < right[1]:
            why = "the key would have to hold two values at the same time"
        operations, texts = self._ends(left)
        others, more = self._ends(right)
        return self._conflict([*operations, *others], [*texts, *more], why)

    # Few operations that say why

    def _conflict(self, operations: Sequence[Operation], texts: Iterable[Value], why: str) -> Conflict:
        """These operations, as far as these texts are concerned."""
        within = dict.fromkeys(texts)
        missing = self.specification.missing
        if missing != "":
            within[missing] = None
        unique = {operation.id: operation for operation in operations}
        gets = [get for get in unique.values() if get.function == "get"]
        shown = {get.result: tuple(text for text in self._shown(get) if text in within) for get in gets}
        return Conflict(tuple(unique.values()), why, Glimpse(self.specification, tuple(within), shown))

    def _shown(self, get: Operation) -> Sequence[Value]:
        if self.texts:
            return self._split(self._value(get))[0]
        return [self._held(get)]

    def _never_written(self, get: Operation, texts: Sequence[Value], rest: Value) -> Conflict:
        """A value goes on, after these texts, with something that nobody wrote."""
        before = [self.makers[text] for text in texts if text in self.makers]
        why = f"{NEVER_WRITTEN} {render(rest)}"
        if rest in self.makers:
            why = f"{render(rest)} was appended, so it comes after {render(self.specification.missing)}, which a missing key holds"
        return Conflict((*(before if len(before) <= SHORT else ()), get), why)

    def _misplaced(self, get: Operation, texts: Sequence[Value], rest: str) -> Conflict | None:
        """A conflict if the texts of one value cannot stand like this."""
        for number, text in enumerate(texts):
            if text in texts[:number]:
                return self._conflict([*self._made(text), get], [text], f"{render(text)} was written once, and shows twice")
            if number and (text not in self.makers or self.makers[text].function == "put"):
                before = texts[number - 1]
                why = f"{render(text)} was not appended, so nothing comes before it"
                return self._conflict([*self._made(before, text), get], [before, text], why)
        return self._never_written(get, texts, rest) if rest else None

    def _twice(self, text: Value, one: _Chain, other: _Chain) -> Conflict:
        """A text is seen in two chains."""
        heads = [chain.head for chain in (one, other) if chain.head in self.makers]
        gets = (one.longest, other.longest)
        why = f"{render(text)} was written once, and shows after two beginnings"
        return self._conflict([*self._made(*heads, text), *gets], [*heads, text], why)

    def _apart(self, chain: _Chain, longest: Sequence[Value], get: Operation) -> Conflict:
        """A value is no beginning of the longest of its chain."""
        texts, rest = self._split(self._value(get))
        found = self._misplaced(get, texts, rest)
        if found is not None:
            return found
        mine, theirs = next(pair for pair in zip(texts, longest, strict=False) if pair[0] != pair[1])
        why = f"one get shows {render(mine)} where another shows {render(theirs)}"
        together = [*self._head(chain), mine, theirs]
        return self._conflict([*self._made(*together), get, chain.longest], together, why)

    def _disorder(self, chain: _Chain, number: int, maker: Operation | None) -> Conflict:
        """`maker`, or else the first get to show the texts up to `number`, returned before what comes earlier was called."""
        gets: dict[int, list[Operation]] = {}
        for get in chain.gets:
            gets.setdefault(chain.place(self._held(get)), []).append(get)
        early = maker or min(gets[number], key=returned)
        for place in range(number, -1, -1):
            if place < number and place in gets:
                late = max(gets[place], key=attrgetter("invoked"))
                if late.invoked > returned(early):
                    break
            if place and (place < number or maker is None) and chain.texts[place - 1] in self.makers:
                late = self.makers[chain.texts[place - 1]]
                if late.invoked > returned(early):
                    break
        if late.function != "get":
            text = chain.texts[place - 1]
            if maker is None:
                return self._conflict([late, early], [text], f"{render(text)} was there before its {late.function} was invoked")
            why = f"a get shows {render(text)} before {render(chain.texts[number - 1])}, which was there first"
            return self._conflict([early, late, chain.longest], [text, chain.texts[number - 1]], why)
        if maker is not None:
            text = chain.texts[number - 1]
            why = f"{render(text)} had been appended before, and the get does not show it"
            together = [*self._head(chain), text]
            return self._conflict([*self._made(*together), late, chain.longest], together, why)
        together = [*self._head(chain), chain.texts[place]]
        why = f"{render(chain.texts[place])} was there before, and is not there any more"
        return self._conflict([*self._made(*together), early, late], together, why)

    def _head(self, chain: _Chain) -> list[Value]:
        """What was put at the beginning of a chain, if anything was."""
        return [chain.head] if chain.head in self.makers else []

    def _made(self, *texts: Value) -> list[Operation]:
        return [self.makers[text] for text in texts if text in self.makers]

    def _ends(self, zone: Zone) -> tuple[list[Operation], list[Value]]:
        """The operations that span a zone, with what shows that they belong together, and their texts."""
        earliest, latest, head = zone
        if head not in self.chains:
            return self._made(head), [head]
        chain = self.chains[head]
        members = [*self._made(*chain.texts), *chain.gets]
        ends = [one for one in members if earliest == one.completed][:1]
        if latest >= 0 and not (ends and ends[0].invoked == latest):
            ends += [one for one in members if one.invoked == latest][:1]
        appended: list[Value] = [one.argument[1] for one in ends if one.function == "append"]  # type: ignore[index]  # as above
        heads = self._head(chain)
        return [*self._made(*heads), *ends, *([chain.longest] if appended else [])], [*heads, *appended]


@dataclass(frozen=True)
class Glimpse(Specification):
    """A key of which only some texts count: `shown` says what the value that each get returned has of these."""

    store: KeyValue
    texts: tuple[Value, ...]
    shown: Mapping[Value, tuple[Value, ...]]

    @property
    def name(self) -> str:
        """That of the store."""
        return self.store.name

    @property
    def initial(self) -> State:
        """What a missing key holds."""
        return (self.store.missing,) if self.store.missing in self.texts else ()

    def step(self, state: State, call: Call) -> State | Refusal:
        """A put begins anew, an append adds its text, a get shows them all in their order."""
        assert isinstance(state, tuple)
        if call.function != "get":
            assert isinstance(call.argument, tuple)
            text = call.argument[1]
            return (text,) if call.function == "put" else (*state, text)
        seen = self.shown[call.result]
        if not call.known or seen == state:
            return state
        whole = self.store.missing if call.result is None else call.result
        if _joined(seen) == whole:
            return Refusal("key {} holds {}, not {}", call.argument, _joined(state), call.result)
        of = " and ".join(map(render, self.texts)).replace("{", "{{").replace("}", "}}")
        far = f"as far as {of} {'are' if len(self.texts) > 1 else 'is'} concerned"
        return Refusal(f"{far}, key {{}} holds {{}}, not {{}}", call.argument, _joined(state), _joined(seen))

    def pure(self, call: Call) -> bool:
        """Gets are."""
        return call.function == "get"


def _joined(texts: tuple[Value, ...]) -> Value:
    return "".join(map(str, texts)) if all(isinstance(text, str) for text in texts) else texts[-1]
