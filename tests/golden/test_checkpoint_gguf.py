"""GGUF files: what the package `gguf` writes is read number for number."""

import dataclasses
import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.checkpoint import Checkpoint, random_checkpoint
from golden.checkpoints import load_checkpoint
from golden.float_decoder import FloatDecoder
from golden.formats.gguf import read_header
from spec.shape import Llama3Scaling, Shape
from tests.golden.folders import write_folder
from tests.golden.gguf_files import tensors_of, write_gguf
from tests.golden.quants import BLOCKS, decoded
from tools.errors import BadInput

# Rows of 32 for the smallest blocks; heads whose size is not dim / heads; a grouped head.
SHAPE = Shape(
    dim=32, hidden=64, layers=2, heads=4, kv_heads=2, vocab=20, seq_len=16, head_dim=16,
    rope_base=5e5, norm_epsilon=1e-6, end_ids=(2, 7), bos=1,
)  # fmt: skip
SCALING = Llama3Scaling(factor=32, low_freq_factor=1, high_freq_factor=4, original_seq_len=8192)
SHAPES = {
    "llama": SHAPE,
    "scaled": dataclasses.replace(SHAPE, rope_scaling=SCALING),
    "qwen2": dataclasses.replace(SHAPE, qkv_bias=True, bos=None),
}


def refusal(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        load_checkpoint(path).in_memory()
    message = str(caught.value)
    assert message.count(str(path)) == 1 and "\n" not in message
    return message.removeprefix(f"{path}: ")


def assert_same(actual: Checkpoint, expected: Checkpoint) -> None:
    assert (actual.shape, actual.shared) == (expected.shape, expected.shared)
    for name, tensor in expected.weights.items():
        np.testing.assert_array_equal(actual.weights[name], tensor, err_msg=name)


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("shared", [True, False])
def test_what_the_package_writes_is_read(tmp_path, kind, shared):
    expected = random_checkpoint(SHAPES[kind], 3, shared=shared)
    assert_same(load_checkpoint(write_gguf(tmp_path / "model.gguf", expected)), expected)
    assert_same(load_checkpoint(tmp_path), expected)


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
def test_every_number_format_that_the_package_writes(tmp_path, kind):
    checkpoint = random_checkpoint(SHAPE, 5)
    actual = load_checkpoint(write_gguf(tmp_path / "model.gguf", checkpoint, kind))
    type_ = gguf.GGMLQuantizationType[kind]
    for name, tensor in checkpoint.weights.items():
        if "rms" in name:
            np.testing.assert_array_equal(actual.weights[name], tensor)
        else:
            raw = gguf.quants.quantize(np.asarray(tensor), type_)
            expected = gguf.quants.dequantize(raw, type_)
            np.testing.assert_array_equal(actual.weights[name], expected, err_msg=name)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), kind=st.sampled_from(sorted(BLOCKS)))
def test_blocks_are_what_ggml_says(tmp_path_factory, data, kind):
    """Drawn blocks against its formulas, one number at a time."""
    numbers, size, scales = BLOCKS[kind]
    raw = bytearray(data.draw(st.binary(min_size=2 * size, max_size=2 * size)))
    for block in range(2):
        for at in scales:
            scale = data.draw(st.floats(-100, 100, width=16))
            struct.pack_into("<e", raw, block * size + at, scale)
    values = np.frombuffer(bytes(raw), np.uint8).reshape(1, -1)
    path = tmp_path_factory.mktemp("blocks") / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("x", values, raw_dtype=gguf.GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    region = read_header(path).tensors["x"]
    assert region.shape == (1, 2 * numbers)
    expected = decoded(kind, bytes(raw))
    largest = max(1e-6, *map(abs, expected))
    np.testing.assert_allclose(region.read(0, 1)[0], expected, rtol=0, atol=1e-5 * largest)


@pytest.mark.parametrize("kind", ["F16", "Q8_0"])
@pytest.mark.parametrize("model", SHAPES)
def test_the_logits_are_those_of_the_folder(tmp_path, model, kind):
    """The same numbers written as a Hugging Face folder, and as GGUF by its own package."""
    checkpoint = random_checkpoint(SHAPES[model], 4)
    type_ = gguf.GGMLQuantizationType[kind]
    weights = {
        name: tensor
        if "rms" in name or name[0] == "b"
        else gguf.quants.dequantize(gguf.quants.quantize(np.asarray(tensor), type_), type_)
        for name, tensor in checkpoint.weights.items()
    }
    weights["wcls"] = weights["tok_embeddings"]
    folder = write_folder(tmp_path, dataclasses.replace(checkpoint, weights=weights))
    file = write_gguf(tmp_path / "model.gguf", checkpoint, kind)
    decoders = [FloatDecoder(load_checkpoint(path)) for path in (folder, file)]
    for token in (1, 5, 19, 17, 17, 4):
        one, other = (decoder.step([token])[0] for decoder in decoders)
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


# Unsupported features, and errors.


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("add_expert_count", 8), "llama.expert_count = 8 is not supported, only 0"),
        (("add_sliding_window", 64), "llama.attention.sliding_window = 64 is not supported"),
        (("add_rope_scaling_type", gguf.RopeScalingType.YARN), "type = 'yarn' is not supported"),
        (("add_logit_scale", 2.0), "'llama.logit_scale' = 2.0 is unknown and may"),
        (("add_causal_attention", False), "llama.attention.causal = False is not supported"),
        (("add_uint16", "split.count", 2), "split.count = 2 is not supported, only 0 or 1"),
        (("add_uint32", "tokenizer.ggml.eom_token_id", 20), "= 20 is not below vocab = 20"),
    ],
)
def test_values_that_are_refused(tmp_path, change, said):
    name, *arguments = change

    def add(writer: gguf.GGUFWriter) -> None:
        getattr(writer, name)(*arguments)

    path = write_gguf(tmp_path / "model.gguf", random_checkpoint(SHAPE, 1), change=add)
    assert said in refusal(path)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("general.architecture", "gemma3", "architecture = 'gemma3' is not one of llama, qwen2"),
        ("llama.embedding_length", None, "llama.embedding_length is missing"),
        ("llama.embedding_length", 64, "tensor token_embd.weight is (20, 32), not (20, 64)"),
        ("llama.attention.head_count", 3, "Shape.heads = 3 is not a multiple of kv_heads = 2"),
        ("llama.rope.dimension_count", 8, "rope.dimension_count = 8 is not supported, only 16"),
        ("llama.block_count", 3, "tensor blk.2.attn_norm.weight is missing"),
        ("llama.block_count", 1, "tensor 'blk.1.attn_norm.weight' is unknown and may"),
        ("llama.vocab_size", 21, "llama.vocab_size = 21 is not supported, only 20"),
    ],
)
def test_metadata_that_is_refused(tmp_path, key, value, said):
    def change(writer: gguf.GGUFWriter) -> None:
        if value is None:
            del writer.kv_data[0][key]
        else:
            writer.kv_data[0][key].value = value

    path = write_gguf(tmp_path / "model.gguf", random_checkpoint(SHAPE, 1), change=change)
    assert said in refusal(path)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"blk.0.attn_q_norm.weight": (16,)}, "'blk.0.attn_q_norm.weight' is unknown"),
        ({"blk.0.attn_output.bias": (32,)}, "'blk.0.attn_output.bias' is unknown"),
        ({"rope_freqs.weight": (8,)}, "rope_freqs.weight = [1.0, 1.0, 1.0"),
        ({"rope_freqs.weight": (7,)}, "rope_freqs.weight is (7,), not (8,)"),
        ({"output_norm.weight": (31,)}, "output_norm.weight is (31,), not (32,)"),
    ],
)
def test_tensors_that_are_refused(tmp_path, extra, said):
    tensors = {name: np.ones(shape, np.float32) for name, shape in extra.items()}
    if "rope_freqs.weight" in tensors:
        tensors["rope_freqs.weight"][-1] = 1.5
    path = write_gguf(tmp_path / "model.gguf", random_checkpoint(SHAPE, 1), extra=tensors)
    assert said in refusal(path)


def test_a_number_format_that_is_not_built(tmp_path):
    checkpoint = random_checkpoint(SHAPE, 1)
    path = tmp_path / "model.gguf"
    write_gguf(path, checkpoint)
    raw = bytearray(path.read_bytes())
    at = raw.index(b"output_norm.weight") + len(b"output_norm.weight") + 4 + 8
    assert struct.unpack_from("<I", raw, at) == (0,)
    struct.pack_into("<I", raw, at, 24)  # I8
    path.write_bytes(raw)
    assert "output_norm.weight has type I8, which is not one of F32, F16" in refusal(path)
    struct.pack_into("<I", raw, at, 999)
    path.write_bytes(raw)
    assert "tensor 'output_norm.weight' has type = 999, which is unknown" in refusal(path)


def test_two_files_in_a_folder_must_be_named(tmp_path):
    for name in ("a.gguf", "b.gguf"):
        write_gguf(tmp_path / name, random_checkpoint(SHAPE, 1))
    assert "holds 2 GGUF files, name one: a.gguf, b.gguf" in refusal(tmp_path)


# Headers, spelt out by hand.


def key(name: bytes, kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", len(name)) + name + struct.pack("<I", kind) + value


def header(*keys: bytes, version: int = 3, tensors: int = 0, count: int | None = None) -> bytes:
    count = len(keys) if count is None else count
    return b"GGUF" + struct.pack("<IQQ", version, tensors, count) + b"".join(keys)


def tensor(name: bytes, sizes: list[int], kind: int, offset: int) -> bytes:
    front = struct.pack("<Q", len(name)) + name + struct.pack("<I", len(sizes))
    return front + struct.pack(f"<{len(sizes)}Q", *sizes) + struct.pack("<IQ", kind, offset)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (header(key(b"a", 9, struct.pack("<IQ", 0, 1 << 63))), "has 9223372036854775808 numbers"),
        (header(key(b"a", 9, struct.pack("<IQ", 8, 1 << 63))), "has 9223372036854775808 texts"),
        (header(key(b"a", 9, struct.pack("<IQ", 9, 1))), "elements of type = 9, which is"),
        (header(key(b"a", 8, struct.pack("<Q", 1 << 62))), "has a text of 4611686018427387904 b"),
        (header(key(b"a", 8, struct.pack("<Q", 1) + b"\xff")), "has a text that is not UTF-8"),
        (header(key(b"a", 13, b"")), "key 'a' has type = 13, which is unknown"),
        (header(key(b"a", 4, b"")), "file ends within key 'a'"),
        (header(key(b"a", 7, b"\1"), key(b"a", 7, b"\1")), "key 'a' occurs twice"),
        (header(count=1 << 40), "number of keys = 1099511627776 is above 0"),
        (header(tensors=1 << 63), "number of tensors = 9223372036854775808 is above 0"),
        (header(version=1), "GGUF version = 1 must be one of (2, 3)"),
        (header(version=3 << 24), "GGUF version = 50331648 is big-endian"),
        (header(tensor(b"x", [4, 1 << 40], 0, 0), tensors=1, count=0), "not 1 to 2147483647"),
        (header(tensor(b"x", [1 << 30] * 4, 0, 0), tensors=1, count=0), "is not in a file of"),
        (header(tensor(b"x", [1] * 5, 0, 0), tensors=1, count=0), "has 5 dimensions, not 1 to 4"),
        (header(tensor(b"x", [0], 0, 0), tensors=1, count=0), "has sizes = [0], not 1 to"),
        (header(tensor(b"x", [4], 0, 8), tensors=1, count=0) + bytes(64), "not a multiple of 32"),
        (header(tensor(b"x", [33], 8, 0), tensors=1, count=0) + bytes(99), "not a multiple of the"),
        (
            header(tensor(b"x", [4], 0, 0), tensor(b"y", [4], 0, 0), tensors=2, count=0)
            + bytes(99),
            "tensor 'y' at offset 0 overlaps 'x'",
        ),
        (
            header(tensor(b"x", [4], 0, 0), tensor(b"x", [4], 0, 32), tensors=2, count=0)
            + bytes(99),
            "tensor 'x' occurs twice",
        ),
        (header(tensor(b"x", [4], 0, 0), tensors=1, count=0) + bytes(9), "ends at byte"),
        (header(key(b"general.alignment", 4, struct.pack("<I", 3))), "general.alignment = 3 must"),
    ],
)
def test_headers_that_are_refused(tmp_path, data, said):
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    assert said in refusal(path)


def test_version_2_and_another_alignment(tmp_path):
    path = tmp_path / "model.gguf"
    data = header(
        key(b"general.alignment", 4, struct.pack("<I", 64)),
        tensor(b"x", [2, 3], 0, 0), version=2, tensors=1, count=1,
    )  # fmt: skip
    values = np.arange(6, dtype="<f4")
    path.write_bytes(data.ljust(128, b"\0") + values.tobytes())
    actual = read_header(path)
    assert actual.version == 2
    np.testing.assert_array_equal(actual.tensors["x"].read(0, 3), values.reshape(3, 2))


def test_float32_values_are_the_decimals_that_were_meant(tmp_path):
    checkpoint = random_checkpoint(dataclasses.replace(SHAPE, norm_epsilon=1e-5), 1)
    path = write_gguf(tmp_path / "model.gguf", checkpoint)
    assert load_checkpoint(path).shape.norm_epsilon == 1e-5
    assert set(tensors_of(checkpoint)) == set(read_header(path).tensors)
