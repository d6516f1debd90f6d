"""The systems under test, written as their own authors would write them."""

assert __name__.startswith("killpoint."), (
    f"import this package as killpoint.model, not as {__name__}: a bare import makes a second copy of every class"
)
