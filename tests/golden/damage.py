"""Damaged files for all readers: each is read right or refused in one sentence, soon, in little
memory.

``python -m tests.golden.damage --files 100000 --seed S`` damages that many; the tests some hundred.
"""

import argparse
import random
import resource
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golden.checkpoint import random_checkpoint
from golden.checkpoints import llama2c, load_checkpoint
from golden.tokenizers import load_tokenizer
from golden.tokenizers.llama2c import Llama2cTokenizer
from spec.shape import Shape
from tests.golden.folders import byte_level, write_folder
from tests.golden.gguf_files import add_byte_level, write_gguf
from tools.errors import BadInput

#: Most seconds of a file, and most bytes that reading it may take beyond its size.
SECONDS, BYTES = 0.1, 64 << 20

VOCAB = 264
SHAPE = Shape(
    dim=32, hidden=32, layers=1, heads=2, kv_heads=1, vocab=VOCAB, seq_len=16, end_ids=(2,), bos=0
)
TEXTS = ("hello", "é<|im_end|> 12")
Reads = Callable[[Path], object]
#: Inserted into texts.
ODD = (
    b"nan", b"1e999", b"null", b"-1", b"[[", b"{", b'"', b"true", b"99999999999999999999", b"0.5",
    b"\\ud800", b"\xff",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A good file, by the reader that it is for."""

    name: str
    file: str
    content: bytes
    beside: dict[str, bytes]
    read: Reads


def _model(path: Path) -> object:
    checkpoint = load_checkpoint(path)
    return [np.asarray(tensor) for tensor in checkpoint.weights.values()]


def _tokens(path: Path) -> object:
    tokenizer = load_tokenizer(path, VOCAB)
    ids = [tokenizer.encode(text) for text in TEXTS]
    for sequence in ids:
        tokenizer.decode_all(sequence)
    if tokenizer.has_chat:
        tokenizer.chat([{"role": "user", "content": "hello"}])
    return ids


def cases() -> list[Case]:
    """A good file of every kind."""
    library = byte_level(VOCAB, [("h", "e"), ("l", "l")])
    template = "{% for m in messages %}{{ m.role + m.content }}{% endfor %}"
    checkpoint = random_checkpoint(SHAPE, 1)
    plain = random_checkpoint(Shape(dim=4, hidden=4, layers=1, heads=1, kv_heads=1, vocab=5,
                                    seq_len=4), 1)  # fmt: skip
    result = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for version in (0, 1, 2):
            llama2c.write(folder / "model.bin", plain, version, 5)
            content = (folder / "model.bin").read_bytes()
            result.append(Case(f"llama2.c v{version}", "model.bin", content, {}, _model))
        pieces = (b"<unk>", b"<s>", b"</s>", *(b"<0x%02X>" % byte for byte in range(256)))
        pieces += (b" ", b"h", b"e", b"he", b"l")
        own = Llama2cTokenizer(pieces=pieces, scores=(-1.0,) * len(pieces))
        (content,) = own.files().values()
        result.append(Case("tokenizer.bin", "tokenizer.bin", content, {}, _tokens))
        for kind in ("F32", "Q8_0"):
            path = folder / "model.gguf"
            write_gguf(path, checkpoint, kind, add_vocabulary=add_byte_level(
                library, "smollm", chat_template=template, bos_token_id=0))  # fmt: skip
            content = path.read_bytes()
            result.append(Case(f"GGUF {kind}", path.name, content, {}, _model))
            result.append(Case(f"vocabulary of GGUF {kind}", path.name, content, {}, _tokens))
        target = write_folder(folder / "folder", checkpoint, dtype="float16")
        library.save(str(target / "tokenizer.json"))
        (target / "chat_template.jinja").write_text(template)
        files = {path.name: path.read_bytes() for path in target.iterdir()}
        readers = dict.fromkeys(("config.json", "model.safetensors"), _model)
        readers |= {"tokenizer.json": _tokens, "chat_template.jinja": _tokens}
        for name, read in readers.items():
            beside = {other: files[other] for other in files if other != name}
            result.append(Case(name, name, files[name], beside, read))
        target = write_folder(folder / "sharded", checkpoint, shards=2)
        files = {path.name: path.read_bytes() for path in target.iterdir()}
        index = "model.safetensors.index.json"
        beside = {other: files[other] for other in files if other != index}
        result.append(Case("index", index, files[index], beside, _model))
    return result


def damaged(content: bytes, draw: random.Random) -> bytes:
    """`content` with one to three changes, most of them in the header."""
    data = bytearray(content)
    for _ in range(draw.randint(1, 3)):
        if not data:
            break
        near = min(len(data), draw.choice((32, 300, 4000, len(data))))
        at = draw.randrange(near)
        match draw.randrange(9):
            case 0:
                del data[at:]
            case 1:
                data[at] ^= draw.randint(1, 255)
            case 2:
                size = draw.choice((4, 8))
                number = draw.choice((0, 1, 2, 255, 1 << 31, (1 << 31) - 1, (1 << 32) - 1, 1 << 62,
                                      (1 << 63), (1 << 64) - 1))  # fmt: skip
                data[at : at + size] = number.to_bytes(8, "little")[:size]
            case 3:
                data[at:at] = data[at : at + draw.randrange(64)]
            case 4:
                data[at : at + draw.randrange(64)] = b""
            case 5:
                data += draw.randbytes(draw.randrange(40))
            case 6:
                odd = draw.choice(ODD)
                data[at : at + draw.randrange(8)] = odd
            case 7:
                digits = [n for n in range(near) if 48 <= data[n] <= 57]
                if digits:
                    data[draw.choice(digits)] = draw.choice(b"0123456789")
            case 8:
                value = draw.choice((float("nan"), float("inf"), 3.4e38, -1.0))
                data[at : at + 4] = struct.pack("<f", value)
    return bytes(data)


@dataclass(frozen=True)
class Answer:
    """The result of reading a damaged file."""

    case: str
    content: bytes
    refused: str | None
    wrong: str | None
    """A description of forbidden behaviour, if any."""
    seconds: float


def answers(folder: Path, number: int, seed: int) -> Iterator[Answer]:
    """Damage and read `number` files, in a folder for each kind."""
    draw = random.Random(seed)
    kinds = cases()
    for at, case in enumerate(kinds):
        target = folder / str(at)
        target.mkdir()
        for name, content in case.beside.items():
            (target / name).write_bytes(content)
        (target / case.file).write_bytes(case.content)
        case.read(target if case.beside else target / case.file)  # undamaged
    for _ in range(number):
        at = draw.randrange(len(kinds))
        case = kinds[at]
        path = folder / str(at) / case.file
        content = damaged(case.content, draw)
        path.write_bytes(content)
        yield _answer(case, path.parent if case.beside else path, content)


def _answer(case: Case, path: Path, content: bytes) -> Answer:
    before = _peak(reset=True)
    begin = time.process_time()
    refused = wrong = None
    try:
        case.read(path)
    except BadInput as error:
        refused = str(error)
        if "\n" in refused or len(refused) > 1000:
            wrong = "not one sentence"
        elif str(path) not in refused:
            # Messages about text outside the vocabulary, or refused by a template, name no file.
            wrong = None if case.read is _tokens else "names no file"
    except Exception as error:
        wrong = f"{type(error).__name__}: {error}"
    seconds = time.process_time() - begin
    grown = _peak() - before
    if wrong is None and seconds > SECONDS:
        wrong = f"took {seconds:.2f} s"
    if wrong is None and grown > BYTES + len(content):
        wrong = f"took {grown >> 20} MB"
    return Answer(case.name, content, refused, wrong, seconds)


def _peak(*, reset: bool = False) -> int:
    """The peak memory of this process in bytes, on Linux since the last reset."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    refused = bad = 0
    slowest = 0.0
    with tempfile.TemporaryDirectory() as name:
        for answer in answers(Path(name), arguments.files, arguments.seed):
            refused += answer.refused is not None
            slowest = max(slowest, answer.seconds)
            if answer.wrong is not None:
                bad += 1
                print(f"{answer.case}: {answer.wrong}: {answer.content[:80]!r}", flush=True)
    print(
        f"{arguments.files} damaged files, seed {arguments.seed}: {refused} refused,"
        f" {arguments.files - refused - bad} read, {bad} wrong, slowest {slowest:.3f} s"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
