"""The network: directed links with a base latency, noise, and cuts.

A message is decided once, when it is sent: its latency, whether it is lost, whether a second copy follows.  It is then an event in
the world's heap, ordered by (time, sender, the sender's own count of sends).  A **cut** is directed and counted, so that overlapping
partitions end independently; a message is lost if its link is cut when it is sent or when it arrives.  A link may also be
**troubled** by faults that delay, lose, double or hold its messages (`trouble.py`).

At noise 0 every link has the same latency, nothing is lost, and messages on a link keep their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappush
from typing import TYPE_CHECKING

from ..properties.history import Value
from .corruption import corrupted
from .machine import SEGMENT, Delivery, UnknownHost
from .noise import keyed_integer
from .payload import encode
from .trouble import LinkTrouble, Trouble

if TYPE_CHECKING:
    from .kernel.segment import Segment
    from .machine import Machine
    from .world import World

__all__ = ["ARRIVAL", "LATENCY", "Network"]

ARRIVAL = 2
"""Where the arrival of a message stands among the kinds of event (see `world.py`)."""

LATENCY, LOOPBACK = 0.001, 0.000_02
"""Base latency of every link, and of what a host sends itself through sockets, in seconds."""

Link = tuple[str, str]


class Network:
    """All links between the machines of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._cuts: dict[Link, int] = {}
        self._troubles: dict[Link, LinkTrouble] = {}
        self.latency = LATENCY
        self.sent = 0
        self.delivered = 0
        self.dropped = 0

    # -- cuts -------------------------------------------------------------------------------------

    def cut(self, links: Iterable[Link]) -> None:
        """Cut directed links, once more each."""
        for link in links:
            self._cuts[link] = self._cuts.get(link, 0) + 1

    def heal(self, links: Iterable[Link]) -> None:
        """End one cut of each link."""
        for link in links:
            left = self._cuts.get(link, 0) - 1
            if left > 0:
                self._cuts[link] = left
            else:
                self._cuts.pop(link, None)

    def heal_all(self) -> None:
        """End every cut."""
        self._cuts.clear()

    def is_cut(self, sender: str, to: str) -> bool:
        """True while nothing passes from `sender` to `to`."""
        return (sender, to) in self._cuts

    @property
    def cuts(self) -> tuple[Link, ...]:
        """The links that are cut now, sorted."""
        return tuple(sorted(self._cuts))

    # -- trouble ----------------------------------------------------------------------------------

    def trouble(self, links: Iterable[Link], trouble: Trouble) -> None:
        """Trouble directed links, once more each."""
        for link in links:
            self._troubles.setdefault(link, LinkTrouble(self._world.noise.amount)).add(trouble)

    def calm(self, links: Iterable[Link], trouble: Trouble) -> None:
        """End one such trouble of each link.  What was held is released, in the order of sending."""
        for link in links:
            troubled = self._troubles[link]
            troubled.remove(trouble)
            if not troubled.hold:
                for message, target, sender, count in troubled.held:
                    self._world.schedule_delivery(self._world.now + self.latency, sender, count, message, target)
                troubled.held.clear()
            if not troubled:
                del self._troubles[link]

    # -- messages ---------------------------------------------------------------------------------

    def send(self, machine: Machine, to: str, body: Value, form: int, request: int) -> None:
        """Put a message on its link."""
        world = self._world
        target = world.machines.get(to)
        if target is None:
            raise UnknownHost(f"{machine.name} sends to {to!r}, but this world has only {', '.join(world.machines)}")
        payload = encode(body, machine.name, to)
        self.sent += 1
        now = world.now
        world.index = index = world.index + 1
        world.note((1, now, machine.index, target.index, machine.sends, form, payload))
        message = Delivery(machine.name, to, body, form, request, index, now)
        if world.trace is not None:
            world.traced(index, "send", machine.name, None, {"to": to, "body": body, "boundary": machine.sends})
        self._route(machine, target, message, len(payload))

    def carry(self, machine: Machine, target: Machine, segment: Segment) -> None:
        """Put a kernel's segment on its link."""
        world = self._world
        self.sent += 1
        world.index = index = world.index + 1
        world.note((1, world.now, machine.index, target.index, machine.sends, SEGMENT, segment.recorded()))
        message = Delivery(machine.name, target.name, segment, SEGMENT, 0, index, world.now)
        if world.trace is not None:
            world.traced(index, "send", machine.name, None, {"to": target.name, "body": repr(segment), "boundary": machine.sends})
        if machine is target:
            world.schedule_delivery(world.now + LOOPBACK, machine.index, machine.sends, message, target)
        else:
            self._route(machine, target, message, segment.size)

    def _route(self, machine: Machine, target: Machine, message: Delivery, size: int) -> None:
        """Decide what becomes of a message."""
        world, to, now = self._world, target.name, message.sent
        if self._cuts and (machine.name, to) in self._cuts:
            self._drop(message, "cut")
            return
        noise = world.noise
        troubled = self._troubles.get((machine.name, to)) if self._troubles else None
        if troubled is None and noise.quiet:
            heappush(world.heap, (now + self.latency, ARRIVAL, machine.index, machine.sends, self.arrive, (message, target)))
            return
        if troubled is not None and troubled.hold:
            troubled.held.append((message, target, machine.index, machine.sends))
            return
        if machine.send_time != now:
            machine.send_time = now
            machine.send_ordinals = {to: 1}
            ordinal = 0
        else:
            ordinal = machine.send_ordinals.get(to, 0)
            machine.send_ordinals[to] = ordinal + 1
        amount = noise.amount if troubled is None else troubled.noise
        delay, drop, duplicate = noise.message(machine.name, to, machine.incarnation, now, ordinal, self.latency, amount)
        if drop:
            self._drop(message, "lost")
            return
        arrives = now + self.latency + delay
        if troubled is not None:
            arrives += troubled.lag(now, size)
            if troubled.corrupt and not self._corrupt(message, ordinal, troubled.corrupt):
                return
        heappush(world.heap, (arrives, ARRIVAL, machine.index, machine.sends, self.arrive, (message, target)))
        if duplicate is not None:
            copy = Delivery(machine.name, to, message.body, message.form, message.request, message.index, now)
            # Half a count later: unique, and after the message itself should both arrive at once.
            world.schedule_delivery(arrives + duplicate, machine.index, machine.sends + 0.5, copy, target)

    def _corrupt(self, message: Delivery, ordinal: int, rate: float) -> bool:
        """Perhaps corrupt a message.  Of a segment the checksum tells: it is lost, and this says False."""
        number = keyed_integer(self._world.seed, "corrupt", message.sender, message.to, message.sent, ordinal)
        if (number & 0xFFFF_FFFF) >= rate * 2**32:
            return True
        if message.form == SEGMENT:
            self._drop(message, "corrupt")
            return False
        message.body = corrupted(message.body, number >> 32)
        return True

    def arrive(self, item: tuple[Delivery, Machine]) -> None:
        """A message has crossed its link, if that is not cut."""
        message, target = item
        if self._cuts and (message.sender, message.to) in self._cuts:
            self._drop(message, "cut")
        else:
            self.hand_over(message, target)

    def hand_over(self, message: Delivery, target: Machine) -> None:
        """A message has reached its machine, which may be dead, or paused and take it later."""
        world = self._world
        if message.form == SEGMENT:
            self._segment(message, target)
            return
        handle = target.handle
        if handle is None:
            self._drop(message, "dead")
            return
        if target.paused:
            target.held.append(message)
            return
        target.deliveries += 1
        if target.armed:
            world.cross(target, "deliver")
            if target.handle is not handle:
                self._drop(message, "dead")
                return
        self.delivered += 1
        world.index = index = world.index + 1
        world.note((2, world.now, message.index, target.index))
        if world.trace is not None:
            detail = {"sender": message.sender, "body": message.body, "sent": message.sent, "boundary": target.deliveries}
            world.traced(index, "deliver", message.to, message.index, detail)
        if handle.arrive(message):
            world.run(target)

    def _segment(self, message: Delivery, target: Machine) -> None:
        """A segment has reached its machine, whose kernel takes it as long as there is power."""
        world, segment = self._world, message.body
        target.deliveries += 1
        if target.armed and target.alive:
            world.cross(target, "deliver")
        if not target.powered:
            self._drop(message, "dead")
            return
        self.delivered += 1
        world.index = index = world.index + 1
        world.note((2, world.now, message.index, target.index))
        if world.trace is not None:
            detail = {"sender": message.sender, "body": repr(segment), "sent": message.sent, "boundary": target.deliveries}
            world.traced(index, "deliver", message.to, message.index, detail)
        target.kernel().arrive(segment)

    def _drop(self, message: Delivery, why: str) -> None:
        world = self._world
        self.dropped += 1
        world.index = index = world.index + 1
        world.note((3, world.now, message.index, why))
        if world.trace is not None:
            body = repr(message.body) if message.form == SEGMENT else message.body
            world.traced(index, "drop", message.to, message.index, {"sender": message.sender, "body": body, "why": why})
        if message.form == SEGMENT:
            message.body.stack.lost(message.body)
