"""The same programs for real: operating-system processes, sockets, files and signals behind the Host protocol of `sim`."""

import os

assert __name__.startswith("killpoint."), (
    f"import this package as killpoint.real, not as {__name__}: a bare import makes a second copy of every class"
)

# In a clone this folder is reached through a link; debuggers know its files by the path that people open.
__path__[:] = map(os.path.realpath, __path__)
