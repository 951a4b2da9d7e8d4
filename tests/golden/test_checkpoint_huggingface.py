"""Hugging Face folders: what other people's packages write is read number for number."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from golden.checkpoint import Checkpoint, random_checkpoint
from golden.checkpoints import load_checkpoint, survey
from golden.float_decoder import FloatDecoder
from golden.tensors import LazyTensor
from spec.shape import Llama3Scaling, Shape
from tests.golden import hugging_face
from tests.golden.folders import byte_level, serialised, state_dict, stored, write_folder
from tools.errors import BadInput

# Two heads of 4, of which dim / heads is not the size; a grouped head; odd sizes elsewhere.
SHAPE = Shape(
    dim=6, hidden=5, layers=2, heads=2, kv_heads=1, vocab=300, seq_len=16, head_dim=4,
    rope_base=5e4, norm_epsilon=1e-6, end_ids=(2, 7), bos=0,
)  # fmt: skip
SCALING = Llama3Scaling(factor=8, low_freq_factor=1, high_freq_factor=4, original_seq_len=8)
SHAPES = {
    "llama": SHAPE,
    "scaled": dataclasses.replace(SHAPE, rope_scaling=SCALING),
    "qwen2": dataclasses.replace(SHAPE, qkv_bias=True, bos=None),
}


def rounded(checkpoint: Checkpoint, dtype: str) -> Checkpoint:
    """The weights, truncated to `dtype`."""

    def cut(tensor: np.ndarray) -> np.ndarray:
        if dtype == "bfloat16":
            return (tensor.view(np.uint32) & 0xFFFF0000).view(np.float32)
        return tensor.astype(dtype).astype(np.float32)

    weights = {name: cut(np.asarray(tensor)) for name, tensor in checkpoint.weights.items()}
    if checkpoint.shared:
        weights["wcls"] = weights["tok_embeddings"]
    return dataclasses.replace(checkpoint, weights=weights)


def refusal(path: Path) -> str:
    """The message, checked to name a file and to be one line."""
    with pytest.raises(BadInput) as caught:
        load_checkpoint(path).in_memory()
    message = str(caught.value)
    assert message.count(str(path)) == 1 and "\n" not in message
    return message


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("shards", [1, 3])
def test_what_other_packages_write_is_read(tmp_path, kind, dtype, shared, shards):
    expected = rounded(random_checkpoint(SHAPES[kind], 3, shared=shared), dtype)
    write_folder(tmp_path, expected, dtype=dtype, shards=shards)
    if SHAPES[kind].bos is None:
        byte_level(300, bos=False).save(str(tmp_path / "tokenizer.json"))
    actual = load_checkpoint(tmp_path)
    assert (actual.shape, actual.shared) == (expected.shape, shared)
    assert actual.weights.keys() == expected.weights.keys()
    for name, tensor in expected.weights.items():
        np.testing.assert_array_equal(actual.weights[name], tensor, err_msg=name)
    assert (actual.weights["wcls"] is actual.weights["tok_embeddings"]) == shared


@pytest.mark.parametrize("kind", SHAPES)
def test_the_logits_are_those_of_the_folder(tmp_path, kind):
    """From the tensors of the folder, as Transformers reads them, to the logits."""
    checkpoint = random_checkpoint(SHAPES[kind], 4)
    actual = load_checkpoint(write_folder(tmp_path, checkpoint))
    decoder = FloatDecoder(actual)
    tokens = [0, 5, 299, 17, 17, 4, 200, 31, 8, 2, 90, 11]
    expected = hugging_face.logits(checkpoint, tokens)
    for token, row in zip(tokens, expected, strict=True):
        np.testing.assert_allclose(decoder.step([token])[0], row, rtol=0, atol=1e-12)


def test_any_file_of_the_folder_names_it(tmp_path):
    write_folder(tmp_path, random_checkpoint(SHAPE, 1))
    for name in ("config.json", "model.safetensors"):
        assert load_checkpoint(tmp_path / name).shape == SHAPE


def test_a_layer_is_read_alone(tmp_path):
    checkpoint = random_checkpoint(SHAPE, 1)
    weights = load_checkpoint(write_folder(tmp_path, checkpoint)).weights
    for name, tensor in checkpoint.weights.items():
        lazy = weights[name]
        assert isinstance(lazy, LazyTensor)
        assert (lazy.shape, lazy.size, lazy.ndim) == (tensor.shape, tensor.size, tensor.ndim)
        assert len(lazy) == len(tensor)
        for key in (0, -1, slice(None), slice(1, 3), np.array([1, 0]), (0, 1), (1, slice(2))):
            if tensor.ndim > 1 or not isinstance(key, tuple):
                np.testing.assert_array_equal(lazy[key], tensor[key])


def test_a_file_that_changed_is_refused(tmp_path):
    weights = load_checkpoint(write_folder(tmp_path, random_checkpoint(SHAPE, 1))).weights
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[:-8])
    with pytest.raises(BadInput, match=r"model\.safetensors: changed while it was read"):
        np.asarray(weights["rms_final"])


# Unsupported features, and errors.


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "gemma3"}, "model_type = 'gemma3' is not one of llama, mistral, qwen2"),
        ({"hidden_act": "gelu"}, "hidden_act = 'gelu' is not supported, only 'silu'"),
        ({"attention_bias": True}, "attention_bias = True is not supported"),
        ({"mlp_bias": True}, "mlp_bias = True is not supported"),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "type = 'yarn' is not supported"),
        ({"rope_parameters": {"rope_type": "linear"}}, "rope_type = 'linear' is not supported"),
        ({"rope_parameters": {"what": 1}}, "'what' = 1 is unknown and may change the result"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor = 0.5 is not supported"),
        ({"quantization_config": {"bits": 4}}, "quantization_config = {'bits': 4} is not"),
        ({"layer_types": ["sliding_attention"]}, "layer_types = ['sliding_attention'] is not"),
        ({"model_type": "mistral", "architectures": None, "sliding_window": 8}, "_window = 8 is"),
        ({"architectures": ["LlamaForTokenClassification"]}, "architectures = ['LlamaForTok"),
        ({"qk_norm": True}, "'qk_norm' = True is unknown and may change the result"),
        ({"hidden_size": None}, "hidden_size is missing"),
        ({"hidden_size": 6.0}, "hidden_size = 6.0 must be an integer from 1"),
        ({"num_hidden_layers": True}, "num_hidden_layers = True must be an integer"),
        ({"vocab_size": 2**31}, "vocab_size = 2147483648 must be an integer"),
        ({"rms_norm_eps": "small"}, "rms_norm_eps = 'small' must be a number"),
        ({"rms_norm_eps": float("nan")}, "config.json: is JSON that holds NaN"),
        ({"rope_theta": 10**400}, "rope_theta = 1000"),
        ({"eos_token_id": 300}, "eos_token_id = 300 is not below vocab_size = 300"),
        ({"eos_token_id": ["x"]}, "eos_token_id = ['x'] must be token ids"),
        ({"num_attention_heads": 3, "num_key_value_heads": 2}, "Shape.heads = 3 is not a multiple"),
        ({"hidden_size": 8}, "embed_tokens.weight is (300, 6), not (300, 8)"),
        ({"num_hidden_layers": 3}, "tensor model.layers.2.input_layernorm.weight is missing"),
        ({"num_hidden_layers": 1}, "'model.layers.1.input_layernorm.weight' is unknown"),
        ({"tie_word_embeddings": False}, "tensor lm_head.weight is missing"),
    ],
)  # fmt: skip
def test_configs_that_are_refused(tmp_path, changes, said):
    write_folder(tmp_path, random_checkpoint(SHAPE, 1), changes=changes)
    assert said in refusal(tmp_path)


def test_numbers_without_end_are_refused(tmp_path):
    write_folder(tmp_path, random_checkpoint(SHAPE, 1))
    text = (tmp_path / "config.json").read_text()
    for digits, said in ((5000, "config.json: is not JSON"), (4000, "vocab_size = 1111")):
        (tmp_path / "config.json").write_text(text.replace("300", "1" * digits))
        assert said in refusal(tmp_path)


def test_a_key_without_meaning_is_no_matter(tmp_path):
    changes = {"dtype": "float32", "_name_or_path": "x", "sliding_window": 16, "pad_token_id": 5}
    write_folder(tmp_path, random_checkpoint(SHAPE, 1), changes=changes)
    assert load_checkpoint(tmp_path).shape == SHAPE


def test_defaults_that_are_no_llama_s(tmp_path):
    """By default, Mistral's configuration has a window and 8 key heads."""
    changes = {"model_type": "mistral", "architectures": ["MistralForCausalLM"]}
    longer = random_checkpoint(dataclasses.replace(SHAPE, seq_len=8192), 1)
    write_folder(tmp_path, longer, changes=changes)
    assert "sliding_window = 4096 is not supported, only none" in refusal(tmp_path)
    write_folder(tmp_path, longer, changes=changes | {"sliding_window": None})
    assert load_checkpoint(tmp_path).shape.seq_len == 8192
    write_folder(tmp_path, longer, changes=changes | {"num_key_value_heads": None})
    assert "num_key_value_heads is missing" in refusal(tmp_path)


def test_rope_parameters_of_newer_files(tmp_path):
    parameters = {"rope_type": "default", "rope_theta": 777.0}
    changes = {"rope_theta": None, "rope_scaling": None, "rope_parameters": parameters}
    write_folder(tmp_path, random_checkpoint(SHAPE, 1), changes=changes)
    assert load_checkpoint(tmp_path).shape.rope_base == 777


def test_generation_config_has_the_last_word_on_the_end(tmp_path):
    write_folder(tmp_path, random_checkpoint(SHAPE, 1))
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": 9}))
    assert load_checkpoint(tmp_path).shape.end_ids == (9,)


def test_everything_that_is_refused_is_listed(tmp_path):
    changes = {"hidden_act": "relu", "mlp_bias": True}
    write_folder(tmp_path, random_checkpoint(SHAPE, 1), changes=changes)
    actual = survey(tmp_path)
    assert len(actual.refused) == 2
    assert "(and 1 more: python -m golden inspect)" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "said"),
    [
        ("model.layers.0.self_attn.q_norm.weight", (4,), "float32", "q_norm.weight' is unknown"),
        ("model.layers.1.self_attn.o_proj.bias", (6,), "float32", "o_proj.bias' is unknown"),
        ("model.norm.weight", (6,), "int32", "model.norm.weight has type I32, which is not"),
        ("model.norm.weight", (3, 2), "float32", "model.norm.weight is (3, 2), not (6,)"),
        ("model.norm.weight", (1, 1, 1, 6, 1), "float32", "not up to 4 sizes"),
    ],
)
def test_tensors_that_are_refused(tmp_path, name, shape, dtype, said):
    checkpoint = random_checkpoint(SHAPE, 1)
    write_folder(tmp_path, checkpoint)
    tensors = {key: stored(value, "float32") for key, value in state_dict(checkpoint).items()}
    tensors[name] = stored(np.zeros(shape, np.float32), dtype)
    dtypes = dict.fromkeys(tensors, "float32") | {name: dtype}
    (tmp_path / "model.safetensors").write_bytes(serialised(tensors, dtypes))
    assert said in refusal(tmp_path)


def test_a_tensor_ends_within_the_file(tmp_path):
    write_folder(tmp_path, random_checkpoint(SHAPE, 1))
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[:-8])
    sizes = f"ends at byte {len(content)} of a file of {len(content) - 8} bytes"
    assert sizes in refusal(tmp_path / "model.safetensors")


def test_a_value_that_is_not_finite_is_named(tmp_path):
    checkpoint = random_checkpoint(SHAPE, 1)
    checkpoint.weights["w2"][1, 2, 3] = np.inf
    write_folder(tmp_path, checkpoint)
    said = refusal(tmp_path / "model.safetensors")
    assert "tensor model.layers.1.mlp.down_proj.weight holds inf at flat index 13" in said


@pytest.mark.parametrize("file", ["../model.safetensors", "/etc/passwd", "", ".", 5, "a\0b"])
def test_an_index_names_files_beside_it(tmp_path, file):
    write_folder(tmp_path, random_checkpoint(SHAPE, 1), shards=2)
    place = tmp_path / "model.safetensors.index.json"
    index = json.loads(place.read_text())
    index["weight_map"]["model.norm.weight"] = file
    place.write_text(json.dumps(index))
    assert "not a file beside the index" in refusal(tmp_path)


def test_a_tensor_that_its_shard_lacks(tmp_path):
    write_folder(tmp_path, random_checkpoint(SHAPE, 1), shards=2)
    place = tmp_path / "model.safetensors.index.json"
    index = json.loads(place.read_text())
    index["weight_map"]["model.extra"] = "model-00001-of-00002.safetensors"
    place.write_text(json.dumps(index))
    assert "tensor 'model.extra' of the index is missing" in refusal(tmp_path)


@pytest.mark.parametrize("half", [b"\\ud800", b"\\uDC00", "\ud800".encode(errors="surrogatepass")])
def test_half_a_character_is_refused(tmp_path, half):
    write_folder(tmp_path, random_checkpoint(SHAPE, 1))
    content = (tmp_path / "config.json").read_bytes()
    (tmp_path / "config.json").write_bytes(content.replace(b"silu", b"si" + half + b"lu"))
    assert "config.json: is " in refusal(tmp_path)
    (tmp_path / "config.json").write_bytes(
        content.replace(b'"silu"', b'"silu", "_x": "\\ud83d\\ude00"')
    )
    assert "'_x' = '😀' is unknown" in refusal(tmp_path)


def test_pickles_are_not_read(tmp_path):
    write_folder(tmp_path, random_checkpoint(SHAPE, 1))
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    assert "holds pytorch_model.bin, a pickle of PyTorch" in refusal(tmp_path)
