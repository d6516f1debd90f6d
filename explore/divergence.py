"""A determinism check's findings in words: the first event that differs, side by side, and what outlives a run."""

from __future__ import annotations

from .determinism import DeterminismReport, Divergence
from .digests import Event

__all__ = ["divergence_lines"]


def divergence_lines(scenario: str, report: DeterminismReport, *, interrupted: bool = False) -> list[str]:
    """What a determinism check found, for a person."""
    many = f"{report.compared:,} schedule{'s' if report.compared != 1 else ''} in two processes"
    head = f"{scenario}: {many} under different hash seeds, the second in reverse order{' (interrupted)' if interrupted else ''}: "
    if report.divergence is None:
        return [f"{head}0 differing digests.", *_covered(report)]
    return [f"{head}schedules {', '.join(map(str, report.differing))} differ.", *_divergence(report.divergence)]


def _covered(report: DeterminismReport) -> list[str]:
    """What happened in the runs that were alike."""
    struck = ", ".join(f"{kind} in {count:,}" for kind, count in sorted(report.struck.items(), key=lambda item: (-item[1], item[0])))
    lines = [f"    Faults struck: {struck}."] if struck else []
    if report.crossed:
        never = f"Never: {', '.join(report.never)}." if report.never else "Every kind of fault struck, and every kill point was crossed."
        lines.append(f"    {never}")
    return lines


def _divergence(found: Divergence) -> list[str]:
    lines = [f"Schedule {found.number} depends on {found.cause}."]
    if found.left is None and found.right is None:
        if found.before:
            lines.append("    Its traces are alike: the order of tasks or the content of disks differs, which only the digest covers.")
    else:
        lines.append("    First event that differs:")
        lines += [f"          {_event(event)}" for event in found.before]
        for side, event, stack in (("one  ", found.left, found.left_stack), ("other", found.right, found.right_stack)):
            lines += [f"    {side} {_event(event)}", *(f"              {line}" for line in stack)]
    if found.leaked:
        lines.append("    Attributes that outlive a run:")
        lines += [f"        {text}" for text in found.leaked]
    return lines


def _event(event: Event | None) -> str:
    if event is None:
        return "(the run had ended)"
    return f"{event.index:>6}  {event.time:.6f} s  {event.host:<4} {event.kind:<9} {event.detail[:160]}"
