"""Puts generated tables into their places in a page that is otherwise written by hand."""

import re
from collections.abc import Mapping
from pathlib import Path

from tools.errors import BadInput
from tools.files import shown, write_atomically


def fill(path: Path, blocks: Mapping[str, str]) -> None:
    """Replace what stands between ``<!-- growth NAME -->`` and ``<!-- end -->`` by block NAME.

    Raises :class:`BadInput` when the page has no such place, or one for which there is no block.
    """
    text = path.read_text("utf-8")
    places = re.findall(r"<!-- growth (\w+) -->", text)
    if sorted(places) != sorted(blocks):
        raise BadInput(f"{shown(path)}: has places for {places}, not for {list(blocks)}")
    for name, block in blocks.items():
        begin = f"<!-- growth {name} -->"
        before, _, rest = text.partition(begin)
        _, end, behind = rest.partition("<!-- end -->")
        text = f"{before}{begin}\n{block}\n{end}{behind}"
    write_atomically(path, text)
