"""From a number, a picture or a network to everything behind it; needs no torch."""

from pam.tracing.targets import Target, resolve
from pam.tracing.text import render
from pam.tracing.tree import Node, trace

__all__ = ["Node", "Target", "render", "resolve", "trace"]
