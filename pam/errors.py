"""The errors that users meet: one clear sentence each, naming the file, key or tensor at fault."""


class PamError(Exception):
    """Base of every error that the command line prints as one sentence, with exit code 2."""


class ConfigError(PamError):
    """An unknown name, a misspelt key or a value outside its range."""


class DataError(PamError):
    """A missing, damaged or empty file, or a tensor whose values cannot be used (NaN, infinity)."""


class ChangedError(DataError):
    """A file that is no longer what was written, as its record or manifest tells."""

    def __init__(self, path: object) -> None:
        super().__init__(f"{path} is not what its record says: delete it and run again")


class ShapeError(PamError):
    """A tensor, network or grouping whose shape does not fit what it is used with."""


class DivergenceError(PamError):
    """Training whose loss is no longer finite."""


class CollapseError(PamError):
    """A network in which a task is no longer connected to the image."""
