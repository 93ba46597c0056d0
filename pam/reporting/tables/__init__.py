"""The tables of a run as Markdown, LaTeX and CSV, see :mod:`pam.reporting.tables.render`."""
