"""What a run consists of: its jobs, files, hashes and records."""
