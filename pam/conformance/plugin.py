"""The pytest plug-in of the suite: its options, and which tests they choose.

Every pytest beside an installed pam loads this module, so it does nothing, and imports nothing,
unless the suite is among the arguments.
"""

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pam.conformance import KINDS, SUITE, add_settings

if TYPE_CHECKING:
    from pam.conformance.subject import Subject

_FOLDER = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: Sequence[str]
) -> None:
    """Add options and fixtures if the suite is asked for."""
    if any(word.startswith(SUITE) for word in args):
        group = parser.getgroup(SUITE, "conformance of plug-ins of pam")
        for kind in KINDS:
            group.addoption(f"--{kind}", metavar="NAME", help=f"registered {kind}")
        add_settings(group.addoption)
        early_config.pluginmanager.register(Suite(), SUITE)


class Suite:
    """Runs the tests of the kind of plug-in that is named, with that plug-in."""

    examined: "Subject"

    def pytest_configure(self, config: pytest.Config) -> None:
        """Find the plug-in.

        Raises:
            UsageError: if none is named, it is unknown, or options do not fit it.
        """
        from pam.conformance.subject import Subject
        from pam.errors import ConfigError

        try:
            self.examined = Subject.named(config.option)
        except ConfigError as error:
            raise pytest.UsageError(str(error)) from error

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out the tests of other kinds of plug-ins."""
        others = [_FOLDER / f"test_{kind}.py" for kind in KINDS if kind != self.examined.kind]
        return collection_path in others or None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Stop if the first test fails: the others need what it tests."""
        report = yield
        if report.failed and item is item.session.items[0]:
            item.session.shouldfail = "the other tests need this one"
        return report

    @pytest.fixture(scope="session")
    def subject(self) -> "Subject":
        """The plug-in that is examined."""
        return self.examined

    @pytest.fixture(scope="session", autouse=True)
    def one_thread(self) -> Iterator[None]:
        """Compute with one thread: with networks this small several wait for each other."""
        from pam.cost import torch_threads

        with torch_threads(1):
            yield
