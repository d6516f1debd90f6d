"""The world: clock, scheduler, network, disk, hosts, faults; Scenario, Schedule, Session, Record."""

assert __name__.startswith("killpoint."), (
    f"import this package as killpoint.sim, not as {__name__}: a bare import makes a second copy of every class"
)
