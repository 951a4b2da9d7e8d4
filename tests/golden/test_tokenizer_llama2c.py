"""The tokenizer: llama2.c's encoding and decoding, and refusal of every bad file."""

import json
import math
import struct
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from golden.tokenizers import tokenizer_of
from golden.tokenizers.llama2c import BOS, Llama2cTokenizer
from tests.story import DATA, STORIES, Known
from tools.errors import BadInput

SPECIAL = {b"<unk>": 0.0, b"\n<s>\n": 0.0, b"\n</s>\n": 0.0}
BYTES = {b"<0x%02X>" % byte: 0.0 for byte in range(256)}


def tokenizer(merges: dict[bytes, float], *, with_bytes: bool = True) -> Llama2cTokenizer:
    tokens = SPECIAL | (BYTES if with_bytes else {}) | merges
    return Llama2cTokenizer(pieces=tuple(tokens), scores=tuple(tokens.values()))


def spelt(subject: Llama2cTokenizer, text: str | bytes) -> list[bytes]:
    return [subject.pieces[token] for token in subject.encode(text, bos=False)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokenizers")


@pytest.fixture(scope="module")
def real(known: Known) -> Llama2cTokenizer:
    """Pieces that came out of training: of a file of llama2.c, or those of our own model."""
    if DATA is not None and known in STORIES:
        return Llama2cTokenizer.read(DATA / "tok512.bin", 512)
    model = json.loads((known.model / "tokenizer.json").read_text("utf-8"))["model"]
    ranks = {"".join(pair): -float(rank) for rank, pair in enumerate(model["merges"])}
    pieces = sorted(model["vocab"], key=model["vocab"].get)
    return Llama2cTokenizer(
        pieces=tuple(piece.replace("▁", " ").encode() for piece in pieces),
        scores=tuple(ranks.get(piece, -1e9) for piece in pieces),
    )


def refusal(path: Path, vocab: int) -> str:
    """The message behind the file's name, checked to be one line."""
    with pytest.raises(BadInput) as caught:
        Llama2cTokenizer.read(path, vocab)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


# Encoding.


def test_empty_text():
    subject = tokenizer({b" ": 0.0})
    assert subject.encode("") == [BOS]
    assert subject.encode("", bos=False) == []


def test_first_best_pair_is_merged():
    subject = tokenizer(dict.fromkeys((b" ", b"a", b"b"), -9.0) | {b"ab": -1.0, b"ba": -1.0})
    assert spelt(subject, "aba") == [b" ", b"ab", b"a"]


def test_better_pair_is_merged_first():
    subject = tokenizer(dict.fromkeys((b" ", b"a", b"b", b"c"), -9.0) | {b"ab": -2.0, b"bc": -1.0})
    assert spelt(subject, "abc") == [b" ", b"a", b"bc"]


def test_merges_go_on_until_none_is_left():
    pieces = {b" ": -9.0, b"a": -9.0, b"aa": -2.0, b"aaaa": -1.0, b" aaaa": -3.0}
    assert spelt(tokenizer(pieces), "aaaaa") == [b" aaaa", b"a"]


def test_hopeless_score_is_never_merged():
    subject = tokenizer(dict.fromkeys((b" ", b"a"), 0.0) | {b"aa": -1e10})
    assert spelt(subject, "aa") == [b" ", b"a", b"a"]


def test_first_of_equal_pieces_is_taken():
    pieces = (*SPECIAL, b" ", b"a", b"a")
    subject = Llama2cTokenizer(pieces=pieces, scores=(0.0,) * len(pieces))
    assert subject.encode("a") == [1, 3, 4]


def test_code_points_fall_back_on_bytes():
    subject = tokenizer({b" ": 0.0, "é".encode(): 0.0})
    assert subject.encode("é€") == [1, 259, 260, 3 + 0xE2, 3 + 0x82, 3 + 0xAC]


def test_longest_code_point_has_a_piece():
    subject = tokenizer({b" ": 0.0, "😀".encode(): 0.0})
    assert subject.encode("😀", bos=False) == [259, 260]


def test_broken_utf8_is_spelt_byte_by_byte():
    subject = tokenizer({b" ": 0.0})
    broken = b"\x80\xff" + b"\x82" * 5
    assert subject.encode(broken, bos=False) == [259, *(3 + byte for byte in broken)]
    assert subject.encode("\udc80", bos=False) == [259, 3 + 0x80]  # as a command line decodes it


def test_text_without_a_token_is_refused():
    subject = tokenizer({b" ": 0.0}, with_bytes=False)
    with pytest.raises(BadInput, match=r"text holds b'x', .* 4 tokens"):
        subject.encode("x")
    # Where bytes would be stand other pieces: ids 3 to 258 are no bytes by their number alone.
    ordinary = tokenizer({b"%c" % letter: 0.0 for letter in range(48, 123)}, with_bytes=False)
    assert spelt(tokenizer({b" ": 0.0, b"8": 0.0}, with_bytes=False), "8") == [b" ", b"8"]
    for text in ("a#b", " "):
        with pytest.raises(BadInput, match=r"text holds b' '.* 78 tokens"):
            ordinary.encode(text)
    with pytest.raises(BadInput, match=r"text character 1 = '\\ud800'"):
        subject.encode("x\ud800")


def test_prompt(real, known):
    ids = real.encode("Once upon a time")
    if known in STORIES:
        assert ids == [1, 403, 407, 261, 378]
    assert ids == tokenizer_of(known.model, 512).encode("Once upon a time")


@settings(max_examples=200, deadline=None)
@given(text=st.text())
@example(text="  two spaces")
@example(text="<0x41>\0\n\t😀")
def test_decoding_undoes_encoding(real, text):
    assert real.decode_all(real.encode(text)) == text.encode()
    assert real.decode_all(real.encode(text, bos=False)) == text.encode()


# Decoding.


def test_one_space_is_dropped_behind_bos():
    subject = tokenizer({b"  a": 0.0})
    assert subject.decode(BOS, 259) == b" a"
    assert subject.decode(259, 259) == b"  a"
    assert subject.decode_all([259, 259]) == subject.decode_all([1, 259, 259]) == b" a  a"


def test_byte_tokens_are_bytes():
    subject = tokenizer({})
    assert [subject.decode(0, 3 + byte) for byte in range(256)] == [bytes([b]) for b in range(256)]
    assert subject.decode(0, 2) == b"\n</s>\n"  # only BOS is no text


@pytest.mark.parametrize("token", [-1, 259])
def test_id_outside_the_vocabulary(token):
    with pytest.raises(BadInput, match=f"token id {token} is outside 0 to 258"):
        tokenizer({}).decode(0, token)


# Files.


def test_real_file_round_trip(real, known, folder):
    real.write(folder / "again.bin")
    assert Llama2cTokenizer.read(folder / "again.bin", 512) == real
    if DATA is not None and known in STORIES:
        assert (folder / "again.bin").read_bytes() == (DATA / "tok512.bin").read_bytes()


PIECES = [b"<unk>", b"\n<s>\n", b"", b"a", b"\xe2\x84\xa2"]


def small_file(folder: Path) -> bytes:
    tokens = Llama2cTokenizer(
        pieces=tuple(PIECES), scores=tuple(-1.5 * i for i in range(len(PIECES)))
    )
    tokens.write(folder / "small.bin")
    return (folder / "small.bin").read_bytes()


def test_file_layout(folder):
    expected = struct.pack("<I", 5)
    for index, piece in enumerate(PIECES):
        expected += struct.pack("<fI", -1.5 * index, len(piece)) + piece
    assert small_file(folder) == expected
    assert Llama2cTokenizer.read(folder / "small.bin", 5).pieces == tuple(PIECES)


def test_every_other_length_is_refused(folder):
    data, path = small_file(folder), folder / "cut.bin"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        refusal(path, 5)
    path.write_bytes(data + b"\0")
    assert refusal(path, 5) == f"file size = {len(data) + 1} bytes, but its 5 tokens end at 58"
    path.write_bytes(data)
    assert "5 tokens" not in refusal(path, 4)
    assert "token 5 of 6" in refusal(path, 6)
    with pytest.raises(BadInput, match="vocab = 0 "):
        Llama2cTokenizer.read(path, 0)


@pytest.mark.parametrize(
    ("longest", "score", "length", "said"),
    [
        (5, math.nan, 5, "token 0 of 5 has score = nan"),
        (5, -math.inf, 5, "token 0 of 5 has score = -inf"),
        (5, 0.0, 6, "token 0 of 5 has length = 6, above the longest, 5"),
        (2**32 - 1, 0.0, 2**32 - 1, "token 0 of 5 has length = 4294967295, but 46 bytes are left"),
    ],
)
def test_bad_field(folder, longest, score, length, said):
    path = folder / "bad.bin"
    path.write_bytes(struct.pack("<IfI", longest, score, length) + small_file(folder)[12:])
    assert said in refusal(path, 5)


def test_what_is_no_file_is_refused(tmp_path):
    assert "No such file" in refusal(tmp_path / "missing.bin", 5)
    assert "not a regular file" in refusal(tmp_path, 5)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_corruption_reads_right_or_is_refused(folder, data):
    content = bytearray(small_file(folder))
    for _ in range(data.draw(st.integers(1, 3))):
        match data.draw(st.sampled_from(["cut", "pad", "word", "byte"])):
            case "cut":
                del content[data.draw(st.integers(0, len(content))) :]
            case "pad":
                content += data.draw(st.binary(max_size=9))
            case "word" if len(content) >= 4:
                word = st.sampled_from([0, 1, 1 << 31, 0x7FC00000, 0xFF800000, 0xFFFFFFFF])
                at = data.draw(st.integers(0, len(content) - 4))
                struct.pack_into("<I", content, at, data.draw(word))
            case "byte" if content:
                content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(
                    st.integers(1, 255)
                )
    path = folder / "corrupt.bin"
    path.write_bytes(content)
    try:
        tokens = Llama2cTokenizer.read(path, 5)
    except BadInput:
        refusal(path, 5)
        return
    tokens.write(folder / "again.bin")
    assert (folder / "again.bin").read_bytes()[4:] == content[4:]  # the longest may be generous
