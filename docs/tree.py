"""The tree that Sphinx reads: copies of the pages in place, and the generated ones."""

from collections.abc import Mapping
from pathlib import Path

from docs.reference import api_pages, commands_page
from docs.timing import timing_diagrams
from tools.files import write_atomically
from tools.sources import ROOT

#: What is copied, with its folder, so that links between pages hold in both places.
COPIED = (
    "README.md", "CHANGELOG.md", "LICENSE", "CITATION.cff", "docs/*.md", "docs/*.svg", "docs/*.png",
    "models/*/README.md",
)  # fmt: skip
#: A wide picture keeps its size on a narrow page.
_SCROLLED = '<div style="overflow-x: auto"><div style="min-width: 70rem">{}</div></div>\n'


def contents() -> Mapping[str, bytes]:
    """The content of every file of the tree, by its path."""
    files = {
        str(path.relative_to(ROOT)): path.read_bytes()
        for pattern in COPIED
        for path in sorted(ROOT.glob(pattern))
    }
    return files | {name: text.encode() for name, text in _generated().items()}


def _generated() -> Mapping[str, str]:
    files: dict[str, str] = {}
    for name, picture in timing_diagrams().items():
        files[f"docs/{name}.html"] = _SCROLLED.format(picture)
    files["docs/reference/commands.md"] = commands_page()
    for name, page in api_pages().items():
        files[f"docs/reference/{name}.rst"] = page
    return files


def assemble(folder: Path) -> None:
    """Write the tree into `folder`: only what differs, so that Sphinx reads only that again."""
    files = contents()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and str(path.relative_to(folder)) not in files:
            path.unlink()
    for name, content in files.items():
        target = folder / name
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, content)
