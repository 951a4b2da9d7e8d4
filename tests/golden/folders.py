"""Hugging Face folders as other people's packages write them, of any checkpoint.

Shares no code with the reader: tensors go through the library `safetensors`, rows are put in
half-split order by `tests.golden.hugging_face`, tokenizers are made by the library `tokenizers`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import tokenizers
from tokenizers import AddedToken, decoders, models, pre_tokenizers, processors

from golden.checkpoint import Checkpoint
from tests.golden.hugging_face import half_split

LAYER = {
    "rms_att": "input_layernorm.weight",
    "wq": "self_attn.q_proj.weight",
    "wk": "self_attn.k_proj.weight",
    "wv": "self_attn.v_proj.weight",
    "wo": "self_attn.o_proj.weight",
    "rms_ffn": "post_attention_layernorm.weight",
    "w1": "mlp.gate_proj.weight",
    "w2": "mlp.down_proj.weight",
    "w3": "mlp.up_proj.weight",
    "bq": "self_attn.q_proj.bias",
    "bk": "self_attn.k_proj.bias",
    "bv": "self_attn.v_proj.bias",
}
SINGLE = {
    "tok_embeddings": "model.embed_tokens.weight",
    "rms_final": "model.norm.weight",
    "wcls": "lm_head.weight",
}


def state_dict(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """The tensors by the names and in the order of rows of Hugging Face."""
    tensors = {}
    for name, weight in checkpoint.weights.items():
        if name in SINGLE:
            if not (name == "wcls" and checkpoint.shared):
                tensors[SINGLE[name]] = weight
            continue
        for layer, matrix in enumerate(np.asarray(weight)):
            if name in ("wq", "wk", "bq", "bk"):
                matrix = half_split(matrix, checkpoint.shape.head_dim)
            tensors[f"model.layers.{layer}.{LAYER[name]}"] = matrix
    return tensors


def stored(tensor: np.ndarray, dtype: str) -> np.ndarray:
    """The numbers as `dtype` stores them; bfloat16 must be exact in the values given."""
    values = np.ascontiguousarray(tensor, np.float32)
    if dtype == "bfloat16":
        words = values.view(np.uint32)
        assert not (words & 0xFFFF).any()
        return (words >> 16).astype(np.uint16)
    return values.astype(dtype)


def serialised(tensors: Mapping[str, np.ndarray], dtypes: Mapping[str, str]) -> bytes:
    """The safetensors file of `tensors`, which are what `stored` returns for `dtypes`."""
    specs = {
        name: safetensors.TensorSpec(
            dtype=dtypes[name],
            shape=tensor.shape,
            data_ptr=tensor.ctypes.data,
            data_len=tensor.nbytes,
        )
        for name, tensor in tensors.items()
    }
    return bytes(safetensors.serialize(specs, metadata={"format": "pt"}))


def config_of(checkpoint: Checkpoint) -> dict[str, Any]:
    shape = checkpoint.shape
    kind = "qwen2" if shape.qkv_bias else "llama"
    config = {
        "architectures": ["Qwen2ForCausalLM" if shape.qkv_bias else "LlamaForCausalLM"],
        "bos_token_id": shape.bos,
        "eos_token_id": list(shape.end_ids),
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "hidden_size": shape.dim,
        "initializer_range": 0.02,
        "intermediate_size": shape.hidden,
        "max_position_embeddings": shape.seq_len,
        "model_type": kind,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.kv_heads,
        "rms_norm_eps": shape.norm_epsilon,
        "rope_scaling": None,
        "rope_theta": shape.rope_base,
        "tie_word_embeddings": checkpoint.shared,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.57.0",
        "use_cache": True,
        "vocab_size": shape.vocab,
    }
    if shape.rope_scaling is not None:
        scaling = shape.rope_scaling
        config["rope_scaling"] = {
            "factor": scaling.factor,
            "high_freq_factor": scaling.high_freq_factor,
            "low_freq_factor": scaling.low_freq_factor,
            "original_max_position_embeddings": scaling.original_seq_len,
            "rope_type": "llama3",
        }
    return config


def write_folder(
    folder: Path,
    checkpoint: Checkpoint,
    *,
    dtype: str = "float32",
    shards: int = 1,
    changes: Mapping[str, Any] | None = None,
) -> Path:
    """The folder of `checkpoint` without a tokenizer; `changes` go into its `config.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    config = config_of(checkpoint) | dict(changes or {})
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {name: stored(value, dtype) for name, value in state_dict(checkpoint).items()}
    dtypes = dict.fromkeys(tensors, dtype)
    if shards == 1:
        (folder / "model.safetensors").write_bytes(serialised(tensors, dtypes))
        return folder
    places = {}
    for index in range(shards):
        file = f"model-{index + 1:05}-of-{shards:05}.safetensors"
        part = dict(list(tensors.items())[index::shards])
        places |= dict.fromkeys(part, file)
        (folder / file).write_bytes(serialised(part, dtypes))
    index_file = {"metadata": {"total_size": 0}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index_file))
    return folder


def byte_level(
    vocab: int, merges: list[tuple[str, str]] | None = None, *, bos: bool = True
) -> tokenizers.Tokenizer:
    """A byte-level BPE of special tokens, bytes, the `merges` that fit, and nothing else."""
    specials = ["<|bos|>", "<|im_start|>", "<|im_end|>"]
    ids: dict[str, int] = {}
    for piece in [*specials, *sorted(pre_tokenizers.ByteLevel.alphabet())]:
        ids[piece] = len(ids)
    kept = []
    for left, right in merges or []:
        if len(ids) < vocab:
            ids[left + right] = len(ids)
            kept.append((left, right))
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab=ids, merges=kept))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<|bos|> $A", special_tokens=[("<|bos|>", ids["<|bos|>"])]
        )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in specials])
    return tokenizer
