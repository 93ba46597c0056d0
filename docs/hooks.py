"""Pages of the site whose text or pictures lie elsewhere: profiles, changes, keys, the gallery."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from pam.config.explaining import keys, option_keys

ROOT = Path(__file__).resolve().parents[1]
_INTRODUCTION = """\
# Configuration

Every key of a profile, and every option of every registered method: `pam config --explain KEY` says
the same. Options stand in the row of a method: `experiments.merging.pam.alpha` is `alpha` of a row
whose method is `pam`.
"""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Write out the pages of a folder that the navigation names."""
    for part in config.nav or ():
        for entry in next(iter(part.values())):
            if isinstance(entry, dict):
                name, path = next(iter(entry.items()))
                if path.endswith("/"):
                    pages = sorted((ROOT / "docs" / path).glob("*.md"))
                    entry[name] = [f"{path}{page.name}" for page in pages]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    profiles = (ROOT / "workflow/config/README.md").read_text(encoding="utf-8")
    pages = {
        "profiles.md": profiles.replace("](../../docs/", "]("),
        "changes.md": re.sub(r"\]\(docs/", "](", (ROOT / "CHANGELOG.md").read_text("utf-8")),
        "configuration.md": _configuration(),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    for picture in ROOT.glob("figures/reference/*/*.png"):
        name = picture.relative_to(ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Point at pictures and profiles where the site has them."""
    markdown = markdown.replace("](../workflow/config/README.md", "](profiles.md")
    return markdown.replace("](../figures/", "](figures/")


def _configuration() -> str:
    sections: dict[str, list[str]] = {}
    for key, text in {**keys(), **option_keys()}.items():
        section, _, name = key.rpartition(".")
        sections.setdefault(section or "the file", []).append(f"`{name}`\n:   {text}\n")
    parts = (f"## {section}\n\n" + "\n".join(rows) for section, rows in sections.items())
    return "\n".join([_INTRODUCTION, *parts])
