"""The command line: one module per command, one command per stage of the workflow."""
