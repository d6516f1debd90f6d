"""SQLite on a host's simulated disk: an apsw VFS, with the shared memory that its write-ahead log needs.

This is real SQLite, all of it: what is simulated is what it stands on.  So a service that keeps its state in SQLite is tortured as it is,
and the disk model is held honest by a program that was tested for twenty years against real power losses.  Needs the extra `sqlite`.
"""
