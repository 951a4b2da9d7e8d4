"""The vocabulary of a GGUF file: the ids that the tokenizer has that it was written from."""

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, normalizers, pre_tokenizers

from golden.tokenizers import Tokenizer, load_tokenizer, tokenizer_of
from golden.tokenizers.llama2c import Llama2cTokenizer
from tests.golden.folders import byte_level
from tests.golden.gguf_files import add_byte_level
from tools.errors import BadInput

MERGES = [
    ("h", "e"), ("l", "l"), ("he", "ll"), ("Ġ", "w"), ("Ã", "©"), ("1", "2"), ("12", "3"),
    ("Ġ", "Ġ"), ("Ċ", "Ċ"), ("'", "s"), ("o", "r"), ("Ġw", "or"), ("Ġwor", "l"),
]  # fmt: skip
#: As the tokenizer.json of Llama 3.2 and of Qwen 2.5 have them.
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
ByteLevel = pre_tokenizers.ByteLevel
SPLIT = {
    "gpt-2": ByteLevel(add_prefix_space=False),
    "smollm": pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
    ),
    "llama-bpe": pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
            ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    ),
    "qwen2": pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2), "isolated"),
            ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    ),
}
CHAT = [{"role": "user", "content": "hello"}]


def library(pre: str, bos: bool) -> tokenizers.Tokenizer:
    tokenizer = byte_level(280, MERGES, bos=bos)
    tokenizer.pre_tokenizer = SPLIT[pre]
    if pre == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_tokens([AddedToken("    ", normalized=False)])
    return tokenizer


def written(path: Path, add: Callable[[gguf.GGUFWriter], None]) -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    add(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def refusal(path: Path, vocab: int = 280) -> str:
    with pytest.raises(BadInput) as caught:
        load_tokenizer(path, vocab)
    message = str(caught.value)
    assert message.count(str(path)) == 1 and "\n" not in message
    return message


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> dict[tuple[str, bool], tuple[tokenizers.Tokenizer, Tokenizer]]:
    """The library's tokenizer and ours, read from its GGUF file."""
    folder = tmp_path_factory.mktemp("vocabularies")
    actual = {}
    for pre in SPLIT:
        for bos in (True, False):
            expected = library(pre, bos)
            more = {"bos_token_id": 0, "add_bos_token": bos, "eos_token_id": 2}
            path = written(folder / "model.gguf", add_byte_level(expected, pre, **more))
            actual[pre, bos] = (expected, load_tokenizer(path, 280))
    return actual


@settings(max_examples=200, deadline=None)
@given(
    pre=st.sampled_from(sorted(SPLIT)),
    bos=st.booleans(),
    text=st.text() | st.text(alphabet="hel wor'sd123456 \n\té\u0301"),
)
@example(pre="smollm", bos=False, text="hello world's 12345    \n\n x<|im_end|>é")
@example(pre="llama-bpe", bos=True, text="hello world's 12345    \n\n x<|im_end|>e\u0301")
@example(pre="qwen2", bos=False, text="hello WORLD'S 12345    \n\n x<|im_end|>e\u0301")
def test_ids_are_those_of_the_original(pairs, pre, bos, text):
    expected, actual = pairs[pre, bos]
    ids = actual.encode(text)
    assert ids == expected.encode(text).ids
    assert actual.decode_all(ids) == expected.decode(ids).encode()


def test_chat_template(tmp_path):
    template = "{{bos_token}}{% for m in messages %}{{m.content}}{{eos_token}}{% endfor %}"
    more = {"bos_token_id": 0, "eos_token_id": 2, "chat_template": template}
    expected = library("smollm", False)
    path = written(tmp_path / "model.gguf", add_byte_level(expected, "smollm", **more))
    assert tokenizer_of(path, 280).chat(CHAT) == expected.encode("<|bos|>hello<|im_end|>").ids
    assert tokenizer_of(tmp_path, 280).encode("x") == expected.encode("x").ids


def test_llama_3_begins_with_bos_unless_told_otherwise(tmp_path):
    for pre, begins in (("llama-bpe", True), ("smollm", False)):
        add = add_byte_level(library(pre, True), pre, bos_token_id=0)
        path = written(tmp_path / "model.gguf", add)
        assert (load_tokenizer(path, 280).encode("x")[0] == 0) == begins


# SentencePiece vocabularies, against llama2.c's own tokenizer.

WORDS = [
    "the", "he", "re", "there", "a", "an", "and", "in", "er", "at", "on", "▁", "▁t", "▁th", "▁the",
    "▁a", "▁an", "▁and", "▁w", "e", "t", "h", "r", "n", "d", "i", "o", "w",
]  # fmt: skip
SPM = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *dict.fromkeys(WORDS)]


def add_sentencepiece(bos: bool = True, with_bytes: bool = True) -> Callable:
    def add(writer: gguf.GGUFWriter) -> None:
        types = gguf.TokenType
        pieces = SPM if with_bytes else [SPM[at] for at in (0, 1, 2, *range(259, len(SPM)))]
        kinds = [types.UNKNOWN, types.CONTROL, types.CONTROL]
        kinds += [types.BYTE if piece.startswith("<0x") else types.NORMAL for piece in pieces[3:]]
        writer.add_tokenizer_model("llama")
        writer.add_token_list(pieces)
        writer.add_token_scores([-float(at) for at in range(len(pieces))])
        writer.add_token_types(kinds)
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_add_bos_token(bos)

    return add


@pytest.fixture(scope="module")
def sentencepiece(tmp_path_factory) -> Tokenizer:
    path = tmp_path_factory.mktemp("spm") / "model.gguf"
    return load_tokenizer(written(path, add_sentencepiece()), len(SPM))


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet="there and wat in oné\n<>") | st.text())
@example(text="the wither and  there")
def test_sentencepiece_ids_are_those_of_llama2c(sentencepiece, text):
    pieces = tuple(piece.replace("▁", " ").encode() for piece in SPM)
    own = Llama2cTokenizer(pieces=pieces, scores=tuple(-float(at) for at in range(len(pieces))))
    if any(mark in text for mark in ("▁", "<s>", "</s>", "<unk>")):
        return  # llama2.c knows no marks within a text
    assert sentencepiece.encode(text) == own.encode(text)
    if not text.startswith(" "):
        assert sentencepiece.decode_all(own.encode(text)) == own.decode_all(own.encode(text))


def test_a_vocabulary_without_bytes_refuses(tmp_path):
    path = written(tmp_path / "model.gguf", add_sentencepiece(with_bytes=False))
    subject = load_tokenizer(path, len(SPM))
    assert len(subject.encode("the")) == 2
    with pytest.raises(BadInput, match="text holds '#', for which the tokenizer of"):
        subject.encode("a#b")


# Refusals.


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("tokenizer.ggml.model", "bert", "model = 'bert' is not one of gpt2, llama"),
        ("tokenizer.ggml.pre", "tekken", "pre = 'tekken' is not one of gpt-2, smollm"),
        ("tokenizer.ggml.pre", None, "tokenizer.ggml.pre is missing"),
        ("tokenizer.ggml.tokens", None, "tokenizer.ggml.tokens is missing"),
        ("tokenizer.ggml.merges", ["h x"], "merges has 'h x', not of its tokens"),
        ("tokenizer.ggml.merges", ["he"], "merges has 'he', not of its tokens"),
        ("tokenizer.ggml.token_type", [1, 2], "must be 273 numbers"),
        ("tokenizer.ggml.tokens", ["a"] * 273, "tokens has 'a' twice"),
        ("tokenizer.ggml.bos_token_id", 273, "bos_token_id = 273 is not below vocab = 273"),
    ],
)
def test_vocabularies_that_are_refused(tmp_path, key, value, said):
    def add(writer: gguf.GGUFWriter) -> None:
        add_byte_level(library("smollm", True), "smollm", bos_token_id=0, add_bos_token=True)(
            writer
        )
        if value is None:
            del writer.kv_data[0][key]
        else:
            writer.kv_data[0][key].value = value

    assert said in refusal(written(tmp_path / "model.gguf", add))


def test_long_pieces_and_bad_scores_are_refused(tmp_path):
    for tokens, scores, said in (
        (["<unk>", "<s>", "a" * 300], [0.0] * 3, "tokens[2] has 300 characters"),
        (["<unk>", "<s>", "a"], [0.0, 0.0, np.nan], "scores has a value that is not finite"),
    ):

        def add(writer: gguf.GGUFWriter, tokens=tokens, scores=scores) -> None:
            writer.add_tokenizer_model("llama")
            writer.add_token_list(tokens)
            writer.add_token_scores(scores)
            writer.add_token_types([2, 3, 1])

        assert said in refusal(written(tmp_path / "model.gguf", add))
