"""Files that a failure left: small ones are inside the page, so that a mail attachment has them."""

import base64
from dataclasses import dataclass
from pathlib import Path

from tools.evidence import ROOT

#: Larger files are only named, and smaller texts shown.
LARGEST, SHOWN = 400_000, 6_000


@dataclass(frozen=True)
class Attachment:
    """A file: `shown` is its path from the root of the repository; `href` has the whole content,
    None if it is too large or not there."""

    label: str
    name: str
    shown: str
    href: str | None
    text: str = ""
    note: str = ""


def attach(label: str, path: Path, root: Path = ROOT) -> Attachment:
    """The file at `path`."""
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    if not path.is_file():
        return Attachment(label, path.name, shown, None, note="no longer there")
    if path.stat().st_size > LARGEST:
        size = f"{path.stat().st_size / 1e6:,.1f} MB, not in this page"
        return Attachment(label, path.name, shown, None, note=size)
    content = path.read_bytes()
    href = f"data:application/octet-stream;base64,{base64.b64encode(content).decode()}"
    text = ""
    if path.suffix == ".txt":
        text = content.decode("utf-8", "replace")
        text = text if len(text) <= SHOWN else f"...\n{text[-SHOWN:]}"
    return Attachment(label, path.name, shown, href, text)
