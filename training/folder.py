"""A trained network as a Hugging Face folder."""

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from safetensors.numpy import save
from tokenizers import Tokenizer

from tools.files import write_atomically
from training import llama, vocabulary
from training.train import BOS, Trained

#: The files of a model.
FILES = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json")


def write_folder(folder: Path, trained: Trained, sizes: llama.Sizes) -> None:
    """Write `FILES`; the weights, already rounded, are stored as bfloat16."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, values in trained.weights.items():
        # In training the layers are stacked; in the file each has its own tensor.
        layered = name not in ("embed_tokens", "norm")
        for index, value in enumerate(values) if layered else [(None, values)]:
            prefix = "model." if index is None else f"model.layers.{index}."
            tensors[f"{prefix}{name}.weight"] = np.ascontiguousarray(
                value.astype(ml_dtypes.bfloat16)
            )
    write_atomically(folder / "model.safetensors", save(tensors, {"format": "pt"}))
    _write_json(folder / "config.json", _config(sizes))
    _write_json(
        folder / "generation_config.json",
        {"bos_token_id": BOS, "eos_token_id": BOS, "_from_model_config": True},
    )
    _write_tokenizer(folder / "tokenizer.json", trained.tokenizer)


def _config(sizes: llama.Sizes) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        # As in llama2.c, BOS also ends the previous text.
        "bos_token_id": BOS,
        "eos_token_id": BOS,
        "head_dim": sizes.head_dim,
        "hidden_act": "silu",
        "hidden_size": sizes.dim,
        "intermediate_size": sizes.hidden,
        "max_position_embeddings": sizes.context,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": sizes.heads,
        "num_hidden_layers": sizes.layers,
        "num_key_value_heads": sizes.kv_heads,
        "rms_norm_eps": llama.EPSILON,
        "rope_scaling": None,
        "rope_theta": llama.THETA,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "vocab_size": vocabulary.SIZE,
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_atomically(path, json.dumps(content, indent=2) + "\n")


def _write_tokenizer(path: Path, tokenizer: Tokenizer) -> None:
    write_atomically(path, tokenizer.to_str(pretty=True) + "\n")
