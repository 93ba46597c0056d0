"""The picture of the workflow: its stages in the order they run, with how many jobs each had."""

from collections import Counter
from dataclasses import dataclass

from pam.reporting.manifest import Manifest

BOX = (116, 52)
_GAP, _TOP, _LANE = 26, 10, 74

# stage -> what it makes, its column and row, and what it reads.
_STAGES: dict[str, tuple[str, int, int, tuple[str, ...]]] = {
    "prepare": ("data sets", 0, 0, ()),
    "train": ("single-task networks", 1, 0, ("prepare",)),
    "merge": ("merged networks", 2, 0, ("train",)),
    "relate": ("what tasks share", 2, 2, ("train",)),
    "prune": ("smaller networks", 3, 0, ("merge",)),
    "measure": ("accuracy and cost", 4, 0, ("prune",)),
    "analyse": ("the two conditions", 4, 1, ("prune",)),
    "aggregate": ("CSV files", 5, 0, ("measure", "analyse", "relate")),
    "report": ("tables and figures", 6, 0, ("aggregate",)),
}


@dataclass(frozen=True)
class Box:
    """One stage, at a place in pixels.

    Attributes:
        stage: its name.
        makes: what it makes, in words.
        x: left edge.
        y: upper edge.
        jobs: how many jobs it had.
        failed: how many of them failed.
    """

    stage: str
    makes: str
    x: int
    y: int
    jobs: int
    failed: int


@dataclass(frozen=True)
class Drawing:
    """The boxes, the paths of the arrows between them, and the size of it all in pixels."""

    boxes: list[Box]
    arrows: list[str]
    width: int
    height: int


def workflow_drawing(manifest: Manifest) -> Drawing:
    """Return the picture of a run's workflow; optional stages without jobs are left out."""
    jobs = Counter(job.rule for job in manifest.jobs.values())
    failed = Counter(job.rule for job in manifest.jobs.values() if job.status != "ok")
    jobs |= {"prepare": len(manifest.config.get("experiments", {})), "aggregate": 1, "report": 1}
    boxes = {
        stage: Box(
            stage=stage,
            makes=makes,
            x=1 + column * (BOX[0] + _GAP),
            y=_TOP + row * _LANE,
            jobs=jobs[stage],
            failed=failed[stage],
        )
        for stage, (makes, column, row, _) in _STAGES.items()
        if jobs[stage]
    }
    arrows = [
        _arrow(boxes[source], box)
        for stage, box in boxes.items()
        for source in _STAGES[stage][3]
        if source in boxes
    ]
    lowest = max(box.y for box in boxes.values())
    width = max(box.x for box in boxes.values()) + BOX[0] + 1
    return Drawing(list(boxes.values()), arrows, width, lowest + BOX[1] + _TOP)


def _arrow(source: Box, target: Box) -> str:
    """Return an SVG path from the right of one box to the left of another."""
    x, y = source.x + BOX[0], source.y + BOX[1] // 2
    end_x, end_y = target.x - 4, target.y + BOX[1] // 2
    if y == end_y:
        return f"M{x} {y}H{end_x}"
    # Bends in the gap beside the upper box, where nothing else stands.
    bend = end_x - _GAP // 2 if end_y < y else x + _GAP // 2
    return f"M{x} {y}H{bend}V{end_y}H{end_x}"
