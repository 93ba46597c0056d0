"""Reads source code, never runs it: what a name's code is, and which options it takes."""
