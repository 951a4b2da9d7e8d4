"""Save files that open a waveform at chosen signals, for GTKWave and for Surfer."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vcd.gtkw import GTKWSave

#: The command that opens a save file, by its suffix.
VIEWERS = {".gtkw": "gtkwave", ".sucl": "surfer --command-file"}
_DECLARATION = re.compile(
    rb"\s*\$(?:(?P<end>enddefinitions)|(?P<up>upscope)|scope \w+ (?P<scope>\S+)"
    rb"|var \w+ (?P<width>\d+) (?P<code>\S+) (?P<name>\S+))"
)


@dataclass(frozen=True)
class Variable:
    """A variable of a VCD: its path of scopes and name, its width in bits, and the `code` that
    stands for it where its value changes."""

    path: tuple[str, ...]
    width: int
    signed: bool = False
    code: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """The dotted path."""
        return ".".join(self.path)


def declared(file: Iterable[bytes]) -> Iterator[Variable]:
    """The variables of a VCD with one declaration in a line, whose values are not read.

    (The reader of `vcd` does not know names that begin with a dollar sign.)
    """
    scope: list[str] = []
    for line in file:
        match = _DECLARATION.match(line)
        if match is None:
            continue
        if match["end"]:
            return
        if match["up"]:
            scope.pop()
        elif match["scope"]:
            scope.append(match["scope"].decode())
        else:
            path, code = (*scope, match["name"].decode()), match["code"].decode()
            yield Variable(path, int(match["width"]), code=code)


def write_save_files(
    trace: Path,
    groups: Mapping[str, Sequence[Variable]],
    *,
    tree: str = "",
    step: str = "",
    marker: int | None = None,
) -> tuple[Path, Path]:
    """``gtkwave FILE`` and ``surfer --command-file FILE`` open `trace` at `groups` of variables,
    each under its title if that is not empty.

    `tree` is the scope that GTKWave opens, `step` a variable that counts steps, and `marker` a time
    in the units of the trace, at which the cursor stands.
    """
    gtkwave, surfer = (trace.with_suffix(suffix) for suffix in VIEWERS)
    commands = [f"load_file {trace.resolve()}"]
    with gtkwave.open("w", encoding="utf-8") as file:
        save = GTKWSave(file)
        save.dumpfile(str(trace))
        if marker is not None:
            save.zoom_markers(-5.0, marker)
        if tree:
            save.treeopen(tree)
        if step:
            save.trace(step, datafmt="dec")
        for title, chosen in groups.items():
            if title:
                save.blank(title)
                commands.append(f"divider_add {title}")
            for variable in chosen:
                bits = f"[{variable.width - 1}:0]" if variable.width > 1 else ""
                number = "signed" if variable.signed else "dec"
                save.trace(variable.name + bits, datafmt=number if variable.width > 1 else "bin")
                commands.append(f"variable_add {variable.name}")
    end = ["zoom_fit"] if marker is None else [f"cursor_set {marker}", f"goto_time {marker}"]
    surfer.write_text("\n".join([*commands, *end]) + "\n", encoding="utf-8")
    return gtkwave, surfer
