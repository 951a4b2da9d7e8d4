"""Checkpoint files of llama2.c: every version is read correctly, anything else is refused."""

import math
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.checkpoint import (
    Checkpoint,
    random_checkpoint,
    tensor_shapes,
)
from golden.checkpoints import llama2c, load_checkpoint
from spec.config import Shape, named
from tests.story import STORIES
from tools.errors import BadInput

# hs 2, one key/value head. No matrix but w1, w3 is a multiple of GROUP, no row is.
SHAPE = Shape(dim=6, hidden=5, layers=2, heads=3, kv_heads=1, vocab=7, seq_len=4)
GROUP = 5
FIELDS = ("dim", "hidden", "layers", "heads", "kv_heads", "vocab", "seq_len")
SIZES = (6, 5, 2, 3, 1, 7, 4)
V1_ORDER = ["rms_att", "rms_ffn", "rms_final", "tok_embeddings"]
V1_ORDER += ["wq", "wk", "wv", "wo", "w1", "w2", "w3", "wcls"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkpoints")


def file_of(folder: Path, data: bytes | bytearray) -> Path:
    path = folder / "model.bin"
    path.write_bytes(data)
    return path


def written(folder: Path, version: int, *, shared: bool = False, seed: int = 1) -> bytes:
    path = folder / "written.bin"
    llama2c.write(path, random_checkpoint(SHAPE, seed, shared=shared), version, GROUP)
    return path.read_bytes()


def header(version: int, *, shared: int = 1, group: int = 0) -> bytes:
    """A v1 or v2 header of SHAPE, spelt out independently of the writer."""
    front = struct.pack("<Ii7iB", 0x616B3432, version, *SIZES, shared) + struct.pack("<i", group)
    return front + bytes(256 - len(front))


def read(path: Path) -> Checkpoint:
    return load_checkpoint(path).in_memory()


def refusal(path: Path) -> str:
    """The message after the file's name, checked to be one line."""
    with pytest.raises(BadInput) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def assert_same(a: Checkpoint, b: Checkpoint) -> None:
    assert (a.shape, a.shared) == (b.shape, b.shared)
    for name, tensor in a.weights.items():
        np.testing.assert_array_equal(tensor, b.weights[name], err_msg=name)


# Layouts, against offsets computed by hand.


@pytest.mark.parametrize("shared", [True, False])
def test_v0_layout(folder, shared):
    sizes = (*SIZES[:5], 7 if shared else -7, 4)
    count = 42 + 12 + 72 + 24 + 24 + 72 + 12 + 60 + 60 + 60 + 6 + 8 + (0 if shared else 42)
    values = np.arange(count, dtype="<f4")
    weights = read(file_of(folder, struct.pack("<7i", *sizes) + values.tobytes())).weights
    assert weights["tok_embeddings"][1, 0] == 6
    assert weights["rms_att"][1, 0] == 42 + 6
    assert weights["wq"][1, 2, 3] == 54 + 36 + 2 * 6 + 3
    assert weights["wk"][1, 1, 0] == 126 + 12 + 6
    assert weights["wv"][0, 0, 0] == 150
    assert weights["wo"][0, 0, 0] == 174
    assert weights["rms_ffn"][0, 0] == 246
    assert weights["w1"][1, 4, 5] == 258 + 59
    assert weights["w2"][1, 0, 4] == 318 + 30 + 4
    assert weights["w3"][0, 1, 0] == 378 + 6
    assert weights["rms_final"][5] == 438 + 5
    assert weights["wcls"][0, 1] == (1 if shared else 444 + 8 + 1)
    assert (weights["wcls"] is weights["tok_embeddings"]) == shared


def test_v1_layout(folder):
    values = np.arange(444 + 42, dtype="<f4")
    weights = read(file_of(folder, header(1, shared=0) + values.tobytes())).weights
    start = 0
    for name in V1_ORDER:
        np.testing.assert_array_equal(
            weights[name].ravel(), np.arange(start, start + weights[name].size), err_msg=name
        )
        start += weights[name].size
    assert start == len(values)


def decode_v2(data: bytes | bytearray) -> dict[str, list[float]]:
    """The weights of a v2 file of SHAPE's tensors, element by element."""
    (shared, group), at = struct.unpack_from("<Bi", data, 36), 256
    weights: dict[str, list[float]] = {}
    for name in V1_ORDER[: -1 if shared else None]:
        numel = math.prod(tensor_shapes(SHAPE)[name])
        if name.startswith("rms"):
            weights[name] = list(struct.unpack_from(f"<{numel}f", data, at))
            at += 4 * numel
            continue
        layers = SHAPE.layers if name.startswith("w") and name != "wcls" else 1
        numel //= layers
        weights[name] = []
        for _ in range(layers):
            for index in range(numel):
                (quant,) = struct.unpack_from("<b", data, at + index)
                (scale,) = struct.unpack_from("<f", data, at + numel + 4 * (index // group))
                weights[name].append(float(np.float32(quant) * np.float32(scale)))
            at += numel + 4 * math.ceil(numel / group)
    assert at == len(data)
    return weights


@pytest.mark.parametrize("group", [1, 4, 5, 6, 36, 1000, (1 << 31) - 1])
@pytest.mark.parametrize("shared", [True, False])
def test_v2_groups_straddle_rows(folder, group, shared):
    path = folder / "v2.bin"
    original = random_checkpoint(SHAPE, 3, shared=shared)
    llama2c.write(path, original, 2, group)
    back = read(path)
    for name, values in decode_v2(path.read_bytes()).items():
        np.testing.assert_array_equal(back.weights[name].ravel(), values, err_msg=name)
    for name, tensor in original.weights.items():
        if name.startswith("rms"):
            np.testing.assert_array_equal(back.weights[name], tensor)
        layers = SHAPE.layers if tensor.ndim == 3 else 1
        flat = tensor.reshape(layers, -1), back.weights[name].reshape(layers, -1)
        for start in range(0, flat[0].shape[1], group):
            was, now = (part[:, start : start + group] for part in flat)
            half_a_step = np.abs(was).max(axis=1, keepdims=True) / 254
            assert (np.abs(was - now) <= half_a_step * 1.0001).all(), name


def test_v2_of_zeros_and_subnormals(folder):
    weights = {n: np.zeros(d, np.float32) for n, d in tensor_shapes(SHAPE).items()}
    weights["wq"][0, 0, :2] = 190 * np.float32(1e-45), -3e38
    weights["wq"][1, 0, 0] = 190 * np.float32(1e-45)
    llama2c.write(folder / "v2.bin", Checkpoint(shape=SHAPE, weights=weights, shared=False), 2, 2)
    back = read(folder / "v2.bin").weights["wq"]
    assert back[0, 0, 1] == pytest.approx(-3e38)
    assert 0 < back[1, 0, 0] <= weights["wq"][1, 0, 0]
    assert np.count_nonzero(back) == 2


# Round trips.


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("shared", [True, False])
def test_float_round_trip(folder, version, shared):
    original = random_checkpoint(SHAPE, 5, shared=shared)
    llama2c.write(folder / "model.bin", original, version)
    assert_same(read(folder / "model.bin"), original)


def test_v2_round_trip_settles(folder):
    llama2c.write(folder / "a.bin", random_checkpoint(SHAPE, 5), 2, GROUP)
    once = read(folder / "a.bin")
    llama2c.write(folder / "b.bin", once, 2, GROUP)
    for name, tensor in read(folder / "b.bin").weights.items():
        np.testing.assert_allclose(tensor, once.weights[name], rtol=3e-7, err_msg=name)


if STORIES:  # without its folder there is nothing to be tested

    def test_stories260k(folder):
        real = STORIES[0].model
        checkpoint = read(real)
        assert checkpoint.shape == named("stories260k").shape
        assert checkpoint.shared
        matrices = [t for n, t in checkpoint.weights.items() if not n.startswith("rms")]
        gains = [t for n, t in checkpoint.weights.items() if n.startswith("rms")]
        assert max(np.abs(t).max() for t in matrices) == pytest.approx(1.85, abs=0.005)
        assert max(np.abs(t).max() for t in gains) == pytest.approx(4.43, abs=0.005)
        llama2c.write(folder / "v0.bin", checkpoint, 0)
        ours, theirs = (folder / "v0.bin").read_bytes(), real.read_bytes()
        tables = 4 * 512 * 8  # cosines and sines, the last thing in the file
        assert ours[:-tables] == theirs[:-tables]
        np.testing.assert_allclose(
            np.frombuffer(ours[-tables:], "<f4"), np.frombuffer(theirs[-tables:], "<f4"), atol=1e-4
        )


def test_random_checkpoint_is_seeded_and_scaled():
    shape = Shape(dim=64, hidden=128, layers=2, heads=4, kv_heads=2, vocab=256, seq_len=8)
    first = random_checkpoint(shape, 1, scale=2.0, shared=False)
    assert_same(first, random_checkpoint(shape, 1, scale=2.0, shared=False))
    assert not np.array_equal(first.weights["wq"], random_checkpoint(shape, 2).weights["wq"])
    assert first.weights["w2"].std() == pytest.approx(2 / math.sqrt(128), rel=0.05)
    assert first.weights["wcls"].std() == pytest.approx(2 / math.sqrt(64), rel=0.05)
    assert first.weights["rms_att"].mean() == pytest.approx(1, abs=0.05)


# Refusals: each names the field and the value.


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("dim", 0, "Shape.dim = 0 "),
        ("dim", 8, "Shape.dim = 8 is not a multiple of heads = 3"),
        ("dim", 9, "Shape.head_dim = 3 "),
        ("dim", 600, "dim 600"),
        ("hidden", -5, "Shape.hidden = -5 "),
        ("layers", 0, "Shape.layers = 0 "),
        ("layers", (1 << 31) - 1, "layers 2147483647"),
        ("heads", 0, "Shape.heads = 0 "),
        ("kv_heads", 2, "Shape.heads = 3 is not a multiple of kv_heads = 2"),
        ("vocab", 0, "Shape.vocab = 0 "),
        ("vocab", 8, "vocab 8"),
        ("seq_len", -(1 << 31), "Shape.seq_len = -2147483648 "),
    ],
)
def test_bad_header_field(folder, version, field, value, said):
    data = bytearray(written(folder, version, shared=True))
    struct.pack_into("<i", data, (8 if version else 0) + 4 * FIELDS.index(field), value)
    assert said in refusal(file_of(folder, data))


@pytest.mark.parametrize(
    ("at", "replacement", "said"),
    [
        (0, b"\0", "(no magic, so read as v0)"),
        (4, b"\3", "version = 3 "),
        (4, b"\0", "version = 0 "),
        (36, b"\2", "shared flag = 2 "),
        (36, b"\1", "file size = "),
        (37, bytes(4), "group size = 0 "),
        (37, b"\xff\xff\xff\xff", "group size = -1 "),
        (200, b"x", "header byte 200 = 120 must be 0"),
    ],
)
def test_bad_v2_header(folder, at, replacement, said):
    data = bytearray(written(folder, 2))
    data[at : at + len(replacement)] = replacement
    assert said in refusal(file_of(folder, data))


@pytest.mark.parametrize("version", [0, 1, 2])
def test_every_other_length_is_refused(folder, version):
    data = written(folder, version)
    assert "is an empty file" in refusal(file_of(folder, b""))
    for length in [*range(1, 300), len(data) - 4, len(data) - 1]:
        said = refusal(file_of(folder, data[:length]))
        wrong = (f"header has {length} bytes", f"file size = {length} ", "is a text that begins")
        assert any(words in said for words in wrong)
    assert f"file size = {len(data) + 1} " in refusal(file_of(folder, data + b"\0"))


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(V1_ORDER),
    position=st.integers(0, 10**6),
    value=st.sampled_from(["nan", "inf", "-inf"]),
)
def test_weight_that_is_no_number(folder, name, position, value):
    index = position % math.prod(tensor_shapes(SHAPE)[name])
    start = sum(math.prod(tensor_shapes(SHAPE)[n]) for n in V1_ORDER[: V1_ORDER.index(name)])
    data = bytearray(written(folder, 1))
    struct.pack_into("<f", data, 256 + 4 * (start + index), float(value))
    layer, inside = divmod(index, math.prod(tensor_shapes(SHAPE)[name][1:]))
    place = f"tensor {name} holds {value} at flat index {index}"
    if name not in ("tok_embeddings", "rms_final", "wcls"):
        place = f"tensor {name}[{layer}] holds {value} at flat index {inside}"
    assert refusal(file_of(folder, data)) == place


def test_scale_that_is_no_number(folder):
    data = bytearray(written(folder, 2))
    struct.pack_into("<f", data, 256 + 4 * 30 + 42 + 4 * 2, math.nan)  # third group of embedding
    assert refusal(file_of(folder, data)) == "tensor tok_embeddings holds nan at flat index 10"


def corrupt(draw: st.DrawFn, data: bytearray) -> None:
    match draw(st.sampled_from(["cut", "pad", "field", "float", "byte"])):
        case "cut":
            del data[draw(st.integers(0, len(data))) :]
        case "pad":
            data += draw(st.binary(max_size=9))
        case "field" if len(data) >= 60:
            corners = st.sampled_from([-(1 << 31), -1, 0, 1, 2, (1 << 16) + 1, (1 << 31) - 1])
            at = draw(st.sampled_from([*range(0, 40, 4), 37]))
            struct.pack_into("<i", data, at, draw(corners | st.integers(-99, 99)))
        case "float" if len(data) >= 8:
            odd = st.sampled_from([math.nan, math.inf, -math.inf, 3.4e38, 1e-45])
            at = draw(st.integers(0, len(data) // 4 - 1))
            struct.pack_into("<f", data, 4 * at, draw(odd))
        case "byte" if data:
            data[draw(st.integers(0, len(data) - 1))] ^= draw(st.integers(1, 255))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_corruption_reads_right_or_is_refused(folder, data):
    version = data.draw(st.sampled_from([0, 1, 2]))
    content = bytearray(written(folder, version, shared=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 3))):
        corrupt(data.draw, content)
    path = file_of(folder, content)
    try:
        checkpoint = read(path)
    except BadInput:
        refusal(path)
        return
    if content[:4] == struct.pack("<I", 0x616B3432) and content[4] == 2:
        for name, values in decode_v2(content).items():
            np.testing.assert_array_equal(checkpoint.weights[name].ravel(), values)
        return
    version = 1 if content[:4] == struct.pack("<I", 0x616B3432) else 0
    llama2c.write(folder / "again.bin", checkpoint, version)
    again = bytearray((folder / "again.bin").read_bytes())
    assert len(again) == len(content)
    if version == 0:  # the RoPE tables are skipped, whatever they hold
        size = 4 * checkpoint.shape.seq_len * checkpoint.shape.head_dim
        end = len(again) - (0 if checkpoint.shared else 4 * checkpoint.weights["wcls"].size)
        again[end - size : end] = content[end - size : end]
    assert again == content


@pytest.mark.parametrize("version", [0, 1, 2])
def test_nonsense_sizes_allocate_nothing(folder, version):
    huge = struct.pack("<7i", *[2**30, 2**31 - 1, 2**31 - 1, 2, 1, 2**31 - 1, 2**31 - 1])
    front = struct.pack("<Ii", 0x616B3432, version) if version else b""
    flags = struct.pack("<Bi", 1, 2**31 - 1) if version == 2 else b""
    path = file_of(folder, (front + huge + flags).ljust(256, b"\0"))
    tracemalloc.start()
    assert "file size = 256 " in refusal(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_what_is_no_file_is_refused(tmp_path):
    assert "No such file" in refusal(tmp_path / "missing.bin")
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe")
    with pytest.raises(BadInput, match=r"^'.*two\\nlines'") as caught:
        read(tmp_path / "two\nlines")
    assert "\n" not in str(caught.value)


# Writing.


def test_a_failed_write_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("golden.checkpoints.llama2c._write_array", full)
    with pytest.raises(BadInput, match=r"model\.bin: cannot be written \(No space left"):
        llama2c.write(path, random_checkpoint(SHAPE, 1))
    assert [p.name for p in tmp_path.iterdir()] == ["model.bin"]
    assert path.read_bytes() == b"old"


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")
    os.link(path, tmp_path / "held")  # as a reader holds it
    llama2c.write(path, random_checkpoint(SHAPE, 1))
    assert (tmp_path / "held").read_bytes() == b"old"
    assert_same(read(path), random_checkpoint(SHAPE, 1))


def test_writing_refuses(tmp_path):
    checkpoint = random_checkpoint(SHAPE, 1)
    with pytest.raises(BadInput, match="version = 3 "):
        llama2c.write(tmp_path / "model.bin", checkpoint, 3)
    with pytest.raises(BadInput, match="group size = 0 "):
        llama2c.write(tmp_path / "model.bin", checkpoint, 2, group=0)
    with pytest.raises(BadInput, match=r"model\.bin: cannot be written"):
        llama2c.write(tmp_path / "missing" / "model.bin", checkpoint)
    assert not list(tmp_path.iterdir())


def test_checkpoint_checks_its_tensors():
    good = random_checkpoint(SHAPE, 1, shared=False)

    def build(shared: bool = False, **changed: np.ndarray) -> Checkpoint:
        return Checkpoint(shape=SHAPE, weights=good.weights | changed, shared=shared)

    with pytest.raises(BadInput, match="missing or unknown names: extra"):
        build(extra=np.zeros(1, np.float32))
    with pytest.raises(BadInput, match=r"tensor wk is float32 \(2, 6, 2\)"):
        build(wk=good.weights["wk"].swapaxes(1, 2))
    with pytest.raises(BadInput, match="tensor w1 is float64"):
        build(w1=good.weights["w1"].astype(np.float64))
    with pytest.raises(BadInput, match="shared = True"):
        build(shared=True)
