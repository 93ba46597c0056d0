"""Puts the workflow into the wheel, beside the package that it runs; see pyproject.toml."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithWorkflow(build_py):
    """Copies what Snakemake reads to ``pam/checkout``, laid out as in the repository."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        files = [*Path("workflow").glob("*/**/*"), Path("Snakefile")]
        for path in files:
            if path.is_file() and "__pycache__" not in path.parts and "site" not in path.parts:
                target = Path(self.build_lib, "pam", "checkout", path)
                self.mkpath(str(target.parent))
                self.copy_file(str(path), str(target))


setup(cmdclass={"build_py": BuildWithWorkflow})
