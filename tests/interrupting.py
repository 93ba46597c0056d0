"""Stopping and killing work at a chosen safe point, and running it again until it is done."""

import pytest

from pam.durable import checkpoints, stopping
from pam.durable.checkpoints import keeping

NEVER = 1e9


class Killed(BaseException):
    """Ends the work at once, as SIGKILL would: nothing more is stored."""


class SafePoints:
    """Counts the safe points that a piece of work passes, and ends it at one of them.

    Args:
        stop_at: the safe point at which a signal has come; the work stores its state and stops.
        kill_at: the safe point at which the work ends without storing anything.
        store_at: the safe points at which the interval between checkpoints has passed.
    """

    def __init__(self, stop_at=0, kill_at=0, store_at=()):
        self.passed = 0
        self._stop_at, self._kill_at, self._store_at = stop_at, kill_at, store_at

    def due(self, step):
        if step._journal is None:
            return False
        self.passed += 1
        if self.passed == self._kill_at:
            raise Killed
        if self.passed == self._stop_at:
            stopping._request.signal = 15
        return stopping.requested() or self.passed in self._store_at


def run(work, folder, every=NEVER, **points):
    """Return what the work returns, or None if it was ended, and the safe points it passed."""
    safe_points = SafePoints(**points)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints.Step, "due", lambda step: safe_points.due(step))
        # Finished steps are stored however short they were.
        patch.setattr(checkpoints, "WORTH_STORING_S", 0.0)
        try:
            with keeping(folder, every):
                return work(), safe_points.passed
        except (stopping.Interrupted, Killed):
            return None, safe_points.passed
        finally:
            stopping._request.signal = 0
