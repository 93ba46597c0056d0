"""Jobs that start warm: forks of one process that has already imported torch.

Importing torch takes longer than many a job of a small profile computes. ``make reproduce`` starts
a server that imports the packages of others (never this project's), and names its socket in the
environment; ``python -m pam.cli`` hands its command line, folder, environment and standard streams
to it, passes on signals, and ends as the fork ends. Where no server answers, the command runs in
its own process as ever.
"""

SOCKET = "PAM_WARM"
"""Environment variable: path of the server's socket."""
