"""The search: generating schedules, Hypothesis machines, shrinking, campaigns.  Never imports model."""

assert __name__.startswith("killpoint."), (
    f"import this package as killpoint.explore, not as {__name__}: a bare import makes a second copy of every class"
)
