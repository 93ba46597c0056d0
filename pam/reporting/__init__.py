"""From the records of all jobs to CSV files, tables and figures; knows nothing but files.

Nothing here imports torch: tables and figures can be redrawn from the CSV files on any machine.
"""
