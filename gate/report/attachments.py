"""Files that a failure left: small ones are inside the page, so that a mail attachment has them."""

import base64
import gzip
from dataclasses import dataclass
from pathlib import Path

from tools.evidence import ROOT

#: Larger files are only named, and smaller texts shown.
LARGEST, SHOWN = 1_500_000, 6_000
#: Longer files are compressed; GTKWave and Surfer read them so.
PLAIN = 60_000


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
    name, content = path.name, path.read_bytes()
    text = ""
    if path.suffix == ".txt":
        text = content.decode("utf-8", "replace")
        text = text if len(text) <= SHOWN else f"...\n{text[-SHOWN:]}"
    if len(content) > PLAIN:
        name, content = f"{name}.gz", gzip.compress(content, mtime=0)
    if len(content) > LARGEST:
        size = f"{len(content) / 1e6:,.1f} MB, not in this page"
        return Attachment(label, name, shown, None, text, note=size)
    href = f"data:application/octet-stream;base64,{base64.b64encode(content).decode()}"
    return Attachment(label, name, shown, href, text)
