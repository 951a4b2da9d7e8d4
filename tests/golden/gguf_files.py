"""GGUF files as the package `gguf` writes them, of any checkpoint and vocabulary."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import tokenizers

from golden.checkpoint import Checkpoint
from tests.golden.hugging_face import half_split, inv_freq

LAYER = {
    "rms_att": "attn_norm.weight",
    "wq": "attn_q.weight",
    "wk": "attn_k.weight",
    "wv": "attn_v.weight",
    "wo": "attn_output.weight",
    "rms_ffn": "ffn_norm.weight",
    "w1": "ffn_gate.weight",
    "w2": "ffn_down.weight",
    "w3": "ffn_up.weight",
    "bq": "attn_q.bias",
    "bk": "attn_k.bias",
    "bv": "attn_v.bias",
}
SINGLE = {
    "tok_embeddings": "token_embd.weight",
    "rms_final": "output_norm.weight",
    "wcls": "output.weight",
}


def tensors_of(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """The tensors by the names and in the order of rows of llama.cpp."""
    tensors: dict[str, np.ndarray] = {}
    for name, weight in checkpoint.weights.items():
        if name in SINGLE:
            if not (name == "wcls" and checkpoint.shared):
                tensors[SINGLE[name]] = np.asarray(weight)
            continue
        for layer in range(checkpoint.shape.layers):
            matrix = weight[layer]
            if checkpoint.shape.qkv_bias and name in ("wq", "wk", "bq", "bk"):
                matrix = half_split(matrix, checkpoint.shape.head_dim)
            tensors[f"blk.{layer}.{LAYER[name]}"] = np.ascontiguousarray(matrix)
    if checkpoint.shape.rope_scaling is not None:
        plain = checkpoint.shape.rope_base ** -(
            np.arange(0, checkpoint.shape.head_dim, 2) / checkpoint.shape.head_dim
        )
        factors = plain / inv_freq(checkpoint.shape)
        tensors["rope_freqs.weight"] = factors.astype(np.float32)
    return tensors


def write_gguf(
    path: Path,
    checkpoint: Checkpoint,
    kind: str = "F32",
    *,
    add_vocabulary: Callable[[gguf.GGUFWriter], None] | None = None,
    change: Callable[[gguf.GGUFWriter], None] | None = None,
    extra: dict[str, np.ndarray] | None = None,
) -> Path:
    """The file of `checkpoint` with matrices of number format `kind`; vectors stay float32."""
    shape = checkpoint.shape
    writer = gguf.GGUFWriter(path, "qwen2" if shape.qkv_bias else "llama")
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.seq_len)
    writer.add_embedding_length(shape.dim)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_vocab_size(shape.vocab)
    writer.add_name("drawn")
    if add_vocabulary is not None:
        add_vocabulary(writer)
    elif shape.bos is not None:
        writer.add_bos_token_id(shape.bos)
        writer.add_add_bos_token(True)
    if shape.end_ids:
        writer.add_eos_token_id(shape.end_ids[0])
        for token in shape.end_ids[1:2]:
            writer.add_eot_token_id(token)
    if change is not None:
        change(writer)
    for name, tensor in (tensors_of(checkpoint) | (extra or {})).items():
        quantised = gguf.GGMLQuantizationType[kind if tensor.ndim == 2 else "F32"]
        writer.add_tensor(name, gguf.quants.quantize(tensor, quantised), raw_dtype=quantised)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add_byte_level(
    tokenizer: tokenizers.Tokenizer, pre: str, **more: Any
) -> Callable[[gguf.GGUFWriter], None]:
    """A function that writes the vocabulary of a byte-level BPE into a file."""

    def add(writer: gguf.GGUFWriter) -> None:
        values = json.loads(tokenizer.to_str())
        ids = tokenizer.get_vocab(with_added_tokens=True)
        special = {token["id"]: token["special"] for token in values["added_tokens"]}
        kinds = {True: gguf.TokenType.CONTROL, False: gguf.TokenType.USER_DEFINED}
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(pre)
        writer.add_token_list(sorted(ids, key=ids.__getitem__))
        writer.add_token_types(
            [
                kinds[special[at]] if at in special else gguf.TokenType.NORMAL
                for at in range(len(ids))
            ]
        )
        writer.add_token_merges([" ".join(merge) for merge in values["model"]["merges"]])
        for name, value in more.items():
            getattr(writer, f"add_{name}")(value)

    return add
