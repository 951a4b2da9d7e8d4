"""Writes a checkpoint as a Hugging Face folder, read by `golden.checkpoints.huggingface`."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from golden.checkpoint import Checkpoint
from golden.checkpoints.huggingface import ARCHITECTURES, CONFIG, GENERATION, MODEL, NAMES
from golden.checkpoints.survey import PAIRED
from golden.formats import safetensors
from golden.formats.regions import half_split
from golden.tensors import Floats
from tools.errors import BadInput
from tools.files import scratch_folder, shown, writing

_TORCH = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def write_folder(
    folder: Path, checkpoint: Checkpoint, kind: str, tokenizer_files: dict[str, bytes]
) -> None:
    """Write `folder`, which must be new or empty, atomically.

    Tensors are stored as `kind` (F32, F16 or BF16), one at a time. `tokenizer_files` are added.
    Raises :class:`BadInput` for a folder that cannot be written or is not empty, and for a value
    that `kind` cannot represent.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{shown(folder)}: is not empty; a model needs a new folder")
    with writing(folder), scratch_folder(folder.absolute().parent, ".writing-") as draft:
        config = config_of(checkpoint) | {"torch_dtype": _TORCH[kind]}
        (draft / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
        generation = {name: config[name] for name in ("bos_token_id", "eos_token_id")}
        (draft / GENERATION).write_text(json.dumps(generation, indent=2) + "\n")
        for name, content in tokenizer_files.items():
            (draft / name).write_bytes(content)
        with open(draft / MODEL, "wb") as file:
            safetensors.write(file, kind, _tensors(checkpoint))
        draft.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        shutil.move(draft, folder)


def config_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """The `config.json` of a model."""
    shape = checkpoint.shape
    kind = "qwen2" if shape.qkv_bias else "llama"
    scaling = shape.rope_scaling
    ends = list(shape.end_ids)
    return {
        "architectures": [ARCHITECTURES[kind]],
        "bos_token_id": shape.bos,
        "eos_token_id": ends[0] if len(ends) == 1 else ends or None,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "hidden_size": shape.dim,
        "intermediate_size": shape.hidden,
        "max_position_embeddings": shape.seq_len,
        "model_type": kind,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.kv_heads,
        "rms_norm_eps": shape.norm_epsilon,
        "rope_scaling": scaling
        and {
            "rope_type": "llama3",
            "factor": scaling.factor,
            "low_freq_factor": scaling.low_freq_factor,
            "high_freq_factor": scaling.high_freq_factor,
            "original_max_position_embeddings": scaling.original_seq_len,
        },
        "rope_theta": shape.rope_base,
        "tie_word_embeddings": checkpoint.shared,
        "vocab_size": shape.vocab,
    }


def _tensors(checkpoint: Checkpoint) -> dict[str, tuple[tuple[int, ...], Callable[[], Floats]]]:
    """Every tensor by its Hugging Face name: shape, and a function that reads its values."""
    tensors: dict[str, tuple[tuple[int, ...], Callable[[], Floats]]] = {}
    for ours, tensor in checkpoint.weights.items():
        if ours == "wcls" and checkpoint.shared:
            continue
        stacked = "{}" in NAMES[ours]
        for layer in range(checkpoint.shape.layers) if stacked else range(1):

            def values(ours: str = ours, key: Any = layer if stacked else np.s_[:]) -> Floats:
                rows: Floats = checkpoint.weights[ours][key]
                if ours not in PAIRED:
                    return rows
                return half_split(rows, getattr(checkpoint.shape, PAIRED[ours]))

            tensors[NAMES[ours].format(layer)] = (tensor.shape[stacked:], values)
    return tensors
