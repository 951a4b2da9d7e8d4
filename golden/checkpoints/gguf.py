"""Models in a GGUF file, with the names of llama.cpp (`gguf-py/gguf/constants.py`)."""

import dataclasses
from pathlib import Path

import numpy as np

from golden.checkpoints.survey import Survey, entries, mapped
from golden.formats.facts import Facts, brief
from golden.formats.gguf import ENCODINGS, Gguf, read_header
from golden.formats.regions import Region
from golden.tokenizers.gguf import begins_with, ends_with
from spec.shape import Llama3Scaling, Shape
from tools.errors import BadInput
from tools.files import shown

_LAYER = "blk.{}."
#: Our tensor names -> theirs; {} is the layer.
NAMES = {
    "tok_embeddings": "token_embd.weight",
    "rms_att": _LAYER + "attn_norm.weight",
    "wq": _LAYER + "attn_q.weight",
    "wk": _LAYER + "attn_k.weight",
    "wv": _LAYER + "attn_v.weight",
    "wo": _LAYER + "attn_output.weight",
    "rms_ffn": _LAYER + "ffn_norm.weight",
    "w1": _LAYER + "ffn_gate.weight",
    "w2": _LAYER + "ffn_down.weight",
    "w3": _LAYER + "ffn_up.weight",
    "rms_final": "output_norm.weight",
    "wcls": "output.weight",
    "bq": _LAYER + "attn_q.bias",
    "bk": _LAYER + "attn_k.bias",
    "bv": _LAYER + "attn_v.bias",
}
#: The divisors of the RoPE rates of Llama 3; GGUF files have them instead of its parameters.
ROPE_FACTORS = "rope_freqs.weight"

#: The supported architectures, and whether rows of queries and keys are half-split.
ARCHITECTURES = {"llama": False, "qwen2": True}


def survey(path: Path) -> Survey:
    """Read the header of the model in the file `path`.

    Raises :class:`BadInput` naming file, field and value for damaged or missing parts.
    """
    file = read_header(path)
    refused: list[str] = []
    facts = Facts(shown(path), file.values, refused)
    kind = facts.text("general.architecture")
    if kind not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise BadInput(f"{facts.where}: general.architecture = {brief(kind)} is not one of {known}")
    _check_supported(facts, kind)
    tensors = dict(file.tensors)
    factors = tensors.pop(ROPE_FACTORS, None)
    shape = _shape(facts, kind, file, factors)
    facts.ignore(key for key in file.values if not key.startswith(f"{kind}."))
    facts.refuse_unseen()
    shared = NAMES["wcls"] not in tensors
    weights = mapped(
        facts.where, shape, shared, NAMES, tensors, ENCODINGS, refused, halves=ARCHITECTURES[kind]
    )
    return Survey(
        f"GGUF v{file.version} ({kind})", shape, entries(file.tensors), weights, shared, refused
    )


def _check_supported(facts: Facts, kind: str) -> None:
    facts.supported("split.count", 0, 1)
    facts.supported(f"{kind}.expert_count", 0)
    facts.supported(f"{kind}.expert_used_count", 0)
    facts.supported(f"{kind}.attention.causal", True)
    facts.supported(f"{kind}.attention.sliding_window", 0)
    facts.supported(f"{kind}.pooling_type", 0)
    facts.supported(f"{kind}.rope.scaling.type", "none")
    facts.supported(f"{kind}.rope.scaling.factor", 1)
    facts.supported(f"{kind}.rope.scale_linear", 1)
    # These repeat what the tensors show, or belong to a scaling that is refused.
    facts.ignore(
        f"{kind}.{key}"
        for key in (
            "rope.scaling.original_context_length",
            "rope.scaling.finetuned",
            "tensor_data_layout",
        )
    )


def _shape(facts: Facts, kind: str, file: Gguf, factors: Region | None) -> Shape:
    dim = facts.size(f"{kind}.embedding_length")
    heads = facts.size(f"{kind}.attention.head_count")
    embedding = file.tensors.get(NAMES["tok_embeddings"])
    if embedding is None or len(embedding.shape) != 2:
        raise BadInput(
            f"{facts.where}: tensor {NAMES['tok_embeddings']} is missing or not a matrix"
        )
    vocab = embedding.shape[0]
    head_dim = facts.size(f"{kind}.attention.key_length", dim // heads if heads <= dim else 0)
    facts.supported(f"{kind}.vocab_size", vocab)
    facts.supported(f"{kind}.attention.value_length", head_dim)
    facts.supported(f"{kind}.rope.dimension_count", head_dim)
    try:
        shape = Shape(
            dim=dim,
            hidden=facts.size(f"{kind}.feed_forward_length"),
            layers=facts.size(f"{kind}.block_count"),
            heads=heads,
            kv_heads=facts.size(f"{kind}.attention.head_count_kv", heads),
            vocab=vocab,
            seq_len=facts.size(f"{kind}.context_length"),
            head_dim=head_dim,
            rope_base=facts.number(f"{kind}.rope.freq_base", 10000.0),
            norm_epsilon=facts.number(f"{kind}.attention.layer_norm_rms_epsilon"),
            qkv_bias=kind == "qwen2",
            end_ids=ends_with(facts, vocab),
            bos=begins_with(facts, vocab),
            rope_scaling=None,
        )
        return shape if factors is None else _scaled(shape, factors, facts)
    except BadInput as error:
        if str(error).startswith(facts.where):
            raise
        raise BadInput(f"{facts.where}: {error}") from None


#: Parameters shared by all models with Llama 3 scaling (3.1, 3.2, 3.3).
_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_seq_len": 8192}


def _scaled(shape: Shape, factors: Region, facts: Facts) -> Shape:
    """The shape with the scaling that has these divisors; refused if none has."""
    if factors.shape != (shape.head_dim // 2,) or factors.encoding.name != "F32":
        facts.refuse(f"tensor {ROPE_FACTORS} is {factors.shape}, not ({shape.head_dim // 2},)")
        return shape
    divisors = factors.read(0, factors.shape[0]).astype(np.float64)
    largest = float(divisors.max())
    if np.isfinite(divisors).all() and largest >= 1:
        # The factor is usually an integer, stored here as a rounded float32.
        factor = round(largest) if abs(largest - round(largest)) < 1e-3 else largest
        scaled = dataclasses.replace(
            shape,
            rope_scaling=Llama3Scaling(factor=factor, **_LLAMA3),  # type: ignore[arg-type]
        )
        expected = np.array(shape.rope_rates) / np.array(scaled.rope_rates)
        if np.allclose(divisors, expected, rtol=1e-5, atol=0):
            return scaled
    facts.refuse(
        f"tensor {ROPE_FACTORS} = {brief(divisors.tolist())} is not a Llama 3 scaling with"
        f" {_LLAMA3}"
    )
    return shape
