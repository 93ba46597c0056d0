"""How many examples a property is tried on."""

from hypothesis import settings


def examples(most: int, **options: object) -> settings:
    """Return settings of so many random examples, in every run of a third of them, always the same.

    Args:
        most: in ``make test-more``, which draws others every time.
        options: further settings.
    """
    derandomised = settings().derandomize
    return settings(max_examples=max(min(most, 4), most // 3) if derandomised else most, **options)
