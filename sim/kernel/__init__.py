"""What the operating system of a simulated host does for its programs: sockets, and their TCP and UDP.

A kernel outlives its process and not its power.  When a process is killed its kernel resets the connections; when power is lost
nobody says anything any more, and peers find out by their time-outs.  Nothing of this exists until a program opens a socket.
"""
