"""Inserts generated tables into a page that is otherwise written by hand."""

import re
from collections.abc import Mapping
from pathlib import Path

from tools.errors import BadInput
from tools.files import shown, write_atomically


def fill(path: Path, blocks: Mapping[str, str]) -> None:
    """Replace the text between ``<!-- growth NAME -->`` and ``<!-- end -->`` by block NAME.

    Raises :class:`BadInput` unless the page has exactly the markers of these blocks.
    """
    text = path.read_text("utf-8")
    markers = re.findall(r"<!-- growth (\w+) -->", text)
    if sorted(markers) != sorted(blocks):
        raise BadInput(f"{shown(path)}: has markers for {markers}, not for {list(blocks)}")
    for name, block in blocks.items():
        begin = f"<!-- growth {name} -->"
        before, _, rest = text.partition(begin)
        _, end, after = rest.partition("<!-- end -->")
        text = f"{before}{begin}\n{block}\n{end}{after}"
    write_atomically(path, text)
