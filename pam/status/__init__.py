"""What of a run is up to date, what would run again and why; reads only, and imports no torch."""
