"""Writes all files for a board from one model; they share a hash and appear together."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from board.description import describe_core, hash_words
from board.picture import drawn, first_cycles
from board.templates import template
from board.testbench import Turn, expected_turns, testbench
from design.export import to_verilog
from golden.image import pack
from golden.quantise import Model
from sim.rtl_decoder import RtlDecoder
from spec.config import Config
from tools.errors import BadInput
from tools.files import scratch_folder, writing

#: The files of a kit.
FILES = (
    "core.v", "core.vlt", "core.json", "image.bin", "image.hex", "testbench.v", "integrating.html",
)  # fmt: skip
#: Beats that are written at a time.
_CHUNK = 1 << 16


def write_kit(
    model: Model,
    folder: Path,
    prompt: Sequence[int],
    tokens: int,
    piece: Callable[[int], bytes] = lambda token: b"",
    progress: Callable[[str], None] = lambda doing: None,
) -> None:
    """Write the files `FILES` into `folder`, which is created.

    The testbench runs the greedy text after `prompt`, up to `tokens` tokens, and prints
    ``piece(token)`` for each, called in order. The same run is simulated here, and its cycles go
    into ``core.json``. `progress` is called with the name of each step. Raises :class:`BadInput` if
    `folder` cannot be written or has other files, and for configurations that `to_verilog` refuses.
    """
    check_folder(folder)
    config, image = model.config, pack(model)
    progress("expected ids")
    turns = expected_turns(model, prompt, tokens)
    progress("simulation")
    cycles = _simulated(config, image, turns)
    progress("Verilog")
    with writing(folder), scratch_folder(folder.parent, ".writing-") as draft:
        (draft / "core.v").write_text(to_verilog(config))
        shutil.copyfile(Path(__file__).parent / "core.vlt", draft / "core.vlt")
        core = describe_core(config)
        core["weight_image"] |= {"bytes": "image.bin", "readmemh": "image.hex"}
        core["cycles"] = cycles
        (draft / "core.json").write_text(json.dumps(core, indent=2) + "\n")
        progress("weight image")
        write_image(draft, config, image)
        (draft / "testbench.v").write_text(testbench(config, turns, piece))
        progress("page")
        page = template("integrating.html.j2").render(
            core=core, config=config, picture=drawn(first_cycles(config, image, prompt[0]))
        )
        (draft / "integrating.html").write_text(page)
        folder.mkdir(exist_ok=True)
        for name in FILES:
            os.replace(draft / name, folder / name)


def check_folder(folder: Path) -> None:
    """Refuse, before anything is computed, a folder that cannot be written or has other files."""
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"--output = {str(folder)!r} is a file; a model is exported to a folder")
    if not folder.parent.is_dir():
        raise BadInput(f"--output = {str(folder)!r}: folder {str(folder.parent)!r} does not exist")
    for path in (folder.parent, folder) if folder.exists() else (folder.parent,):
        if not os.access(path, os.W_OK):
            raise BadInput(f"--output = {str(folder)!r} cannot be written")
    others = {path.name for path in folder.iterdir()} - {*FILES} if folder.exists() else set()
    if others:
        raise BadInput(
            f"--output = {str(folder)!r} contains a file that is not part of an export:"
            f" {sorted(others)[0]!r}"
        )


def write_image(folder: Path, config: Config, image: np.ndarray) -> None:
    """``image.bin``, and ``image.hex`` with one beat per line and the hash after the last."""
    width = config.geometry.lanes * config.numerics.weight_bits // 4
    with open(folder / "image.bin", "wb") as raw, open(folder / "image.hex", "w") as text:
        for begin in range(0, len(image), _CHUNK):
            beats = image[begin : begin + _CHUNK]
            little = beats.astype(beats.dtype.newbyteorder("<"))
            raw.write(little.tobytes())
            # Lane 0 is in the lowest bits, so at the end of a line.
            digits = beats[:, ::-1].astype(beats.dtype.newbyteorder(">")).tobytes().hex()
            text.write("".join(f"{digits[n : n + width]}\n" for n in range(0, len(digits), width)))
        text.writelines(f"{word:0{width}x}\n" for word in hash_words(config))


def _simulated(config: Config, image: np.ndarray, turns: Sequence[Turn]) -> dict[str, int | None]:
    """Cycles of the last prompt token and of the last chosen one; checks the ids against golden."""
    cycles: dict[bool, list[int]] = {False: [], True: []}
    with RtlDecoder(config, image) as rtl:
        for number, turn in enumerate(turns):
            step = rtl.step(turn.id, first=turn.first, sample=turn.sample)
            if (step.id, step.end) != (turn.answer, turn.end):
                raise AssertionError(
                    f"RTL answers {step.id} to token {number}, golden {turn.answer}"
                )
            cycles[turn.sample].append(step.cycles)
    last = {sample: counts[-1] if counts else None for sample, counts in cycles.items()}
    return {
        "of_the_last_prompt_token": last[False],
        "of_the_last_chosen_token": last[True],
        "position_of_the_last": len(turns) - 1,
    }
