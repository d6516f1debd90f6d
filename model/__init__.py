"""The systems under test, written as their own authors would write them."""

import os

assert __name__.startswith("killpoint."), (
    f"import this package as killpoint.model, not as {__name__}: a bare import makes a second copy of every class"
)

# In a clone this folder is reached through a link; debuggers know its files by the path that people open.
__path__[:] = map(os.path.realpath, __path__)
