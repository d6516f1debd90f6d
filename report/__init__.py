"""What people look at: space-time diagrams, tables, summaries.  Draws records; never imports model or explore."""

assert __name__.startswith("killpoint."), (
    f"import this package as killpoint.report, not as {__name__}: a bare import makes a second copy of every class"
)
