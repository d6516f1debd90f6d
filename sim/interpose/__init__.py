"""Interposition: what the standard library does while a host runs.

Programs are run as they are, so what they take from the standard library (sockets, names, clocks, randomness, threads) must be the
host's.  While a world is driven some attributes of standard modules are replaced by functions that ask whether the code that calls is a
host's: if it is, the host's own answer; if not (the simulator itself, a test between two steps, another thread), the real one.  When
the world is not driven everything is as it was.

A host that uses nothing of this pays nothing: a few attributes are set when driving begins, and set back when it ends.
"""
