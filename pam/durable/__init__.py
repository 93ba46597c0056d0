"""What survives a kill: checkpoints, locks, and stopping at a safe point."""
