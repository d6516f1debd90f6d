"""What must hold: histories, sequential specifications, checkers, the history graph.  Pure; imports nothing of ours."""

assert __name__.startswith("killpoint."), (
    f"import this package as killpoint.properties, not as {__name__}: a bare import makes a second copy of every class"
)
