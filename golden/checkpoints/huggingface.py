"""Models in a Hugging Face folder: `config.json` and `model.safetensors`, one file or several.

Names, defaults and meanings of the keys are those of Hugging Face Transformers,
`models/{llama,mistral,qwen2}/configuration_*.py` and `modeling_rope_utils.py`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from golden.checkpoints.survey import Survey, entries, mapped
from golden.formats.facts import Facts, brief, read_object
from golden.formats.regions import Region
from golden.formats.safetensors import ENCODINGS, read_header, regions_of
from golden.tokenizers.huggingface import begins_with
from spec.shape import Llama3Scaling, Shape
from tools.errors import BadInput
from tools.files import shown

CONFIG = "config.json"
GENERATION = "generation_config.json"
MODEL = "model.safetensors"
INDEX = "model.safetensors.index.json"

#: Longest `config.json`, `generation_config.json` or index, in bytes.
LONGEST_JSON = 1 << 23

_LAYER = "model.layers.{}."
#: Our tensor names -> theirs; {} is the layer.
NAMES = {
    "tok_embeddings": "model.embed_tokens.weight",
    "rms_att": _LAYER + "input_layernorm.weight",
    "wq": _LAYER + "self_attn.q_proj.weight",
    "wk": _LAYER + "self_attn.k_proj.weight",
    "wv": _LAYER + "self_attn.v_proj.weight",
    "wo": _LAYER + "self_attn.o_proj.weight",
    "rms_ffn": _LAYER + "post_attention_layernorm.weight",
    "w1": _LAYER + "mlp.gate_proj.weight",
    "w2": _LAYER + "mlp.down_proj.weight",
    "w3": _LAYER + "mlp.up_proj.weight",
    "rms_final": "model.norm.weight",
    "wcls": "lm_head.weight",
    "bq": _LAYER + "self_attn.q_proj.bias",
    "bk": _LAYER + "self_attn.k_proj.bias",
    "bv": _LAYER + "self_attn.v_proj.bias",
}

#: The supported architectures, and the class of their weights.
ARCHITECTURES = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
}

#: The default sliding window by architecture.
_WINDOW = {"mistral": 4096}

#: Keys about training, saving or sampling: none affects what the model computes.
_IGNORED = (
    "_attn_implementation", "_attn_implementation_autoset", "_flash_attn_2_enabled",
    "_name_or_path", "_commit_hash", "attention_dropout", "attn_implementation", "dtype",
    "initializer_range", "is_llama_config", "max_window_layers", "pad_token_id", "pretraining_tp",
    "torch_dtype", "transformers.js_config", "transformers_version", "unsloth_fixed",
    "unsloth_version", "use_cache", "output_attentions", "output_hidden_states", "return_dict",
    "bos_token_id", "eos_token_id", "unk_token_id", "chunk_size_feed_forward", "do_sample",
    "gradient_checkpointing", "max_length", "temperature", "tokenizer_class", "top_k", "top_p",
    "id2label", "label2id", "problem_type", "task",
)  # fmt: skip


def is_config(values: Any) -> bool:
    """Whether a JSON value looks like a `config.json`."""
    return isinstance(values, dict) and "model_type" in values


def survey(folder: Path) -> Survey:
    """Read the headers of the model in `folder`.

    Raises :class:`BadInput` naming file, field and value for damaged or missing parts.
    """
    refused: list[str] = []
    config = read_object(folder / CONFIG, LONGEST_JSON)
    tensors = _tensors(folder)
    facts = Facts(shown(folder / CONFIG), config, refused)
    kind = facts.text("model_type")
    if kind not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise BadInput(f"{facts.where}: model_type = {brief(kind)} is not one of {known}")
    _check_supported(facts, kind)
    shared = facts.flag("tie_word_embeddings", False)
    shape = _shape(facts, kind, _ends(folder, facts), folder)
    facts.ignore(_IGNORED)
    facts.refuse_unseen()
    # Transformers ignores both: a copy of the embedding, and rates that follow from the base.
    unused = ("rotary_emb.inv_freq", *([NAMES["wcls"]] if shared else []))
    used = {name: tensors[name] for name in tensors if not name.endswith(unused)}
    weights = mapped(
        shown(folder), shape, shared, NAMES, used, tuple(ENCODINGS), refused, halves=True
    )
    return Survey(
        f"Hugging Face folder ({kind})", shape, entries(tensors), weights, shared, refused
    )


def _tensors(folder: Path) -> dict[str, Region]:
    """Every tensor of the model, by its name."""
    if (folder / MODEL).exists() or not (folder / INDEX).exists():
        _explain_missing(folder)
        return dict(read_header(folder / MODEL).tensors)
    label = shown(folder / INDEX)
    index = read_object(folder / INDEX, LONGEST_JSON).get("weight_map")
    if not isinstance(index, dict) or not index:
        raise BadInput(f"{label}: weight_map = {brief(index)} must name a file for each tensor")
    for tensor, name in index.items():
        if not isinstance(name, str) or not name or Path(name).name != name or "\0" in name:
            raise BadInput(
                f"{label}: tensor {brief(tensor)} is in {brief(name)}, not a file beside the index"
            )
    return regions_of({tensor: folder / name for tensor, name in index.items()})


def _explain_missing(folder: Path) -> None:
    """Raise with a reason if another format is stored instead of `model.safetensors`."""
    if (folder / MODEL).exists():
        return
    for other in ("pytorch_model.bin", "pytorch_model.bin.index.json", "consolidated.00.pth"):
        if (folder / other).exists():
            raise BadInput(
                f"{shown(folder)}: holds {other}, a pickle of PyTorch, which is not read because"
                f" it can run code; {MODEL} is missing"
            )


def _check_supported(facts: Facts, kind: str) -> None:
    facts.supported("architectures", [ARCHITECTURES[kind]])
    facts.supported("hidden_act", "silu")
    facts.supported("attention_bias", *([] if kind == "qwen2" else [False]))
    facts.supported("mlp_bias", False)
    facts.supported("rope_interleaved", False)
    facts.supported("partial_rotary_factor", 1)
    facts.supported("is_encoder_decoder", False)
    facts.supported("add_cross_attention", False)
    facts.supported("pruned_heads", {})
    facts.supported("use_sliding_window", False)
    for key in ("quantization_config", "auto_map", "num_experts", "num_local_experts"):
        facts.supported(key)
    kinds = facts.get("layer_types", [])
    if not isinstance(kinds, list) or any(name != "full_attention" for name in kinds):
        facts.refuse(f"layer_types = {brief(kinds)} is not supported, only 'full_attention'")
    window = facts.get("sliding_window", None if facts.has("sliding_window") else _WINDOW.get(kind))
    positions = facts.size("max_position_embeddings")
    # Qwen2 enables it by use_sliding_window. A window as long as the context has no effect.
    if kind != "qwen2" and window is not None and not _reaches(window, positions):
        facts.refuse(f"sliding_window = {brief(window)} is not supported, only none")


def _reaches(window: Any, positions: int) -> bool:
    return isinstance(window, int) and window >= positions


def _shape(facts: Facts, kind: str, ends: tuple[int, ...], folder: Path) -> Shape:
    heads = facts.size("num_attention_heads")
    vocab = facts.size("vocab_size")
    begin = begins_with(folder, facts.get("bos_token_id", None))
    for name, ids in (("eos_token_id", ends), ("bos_token_id", () if begin is None else (begin,))):
        for token in ids:
            if token >= vocab:
                raise BadInput(f"{facts.where}: {name} = {token} is not below vocab_size = {vocab}")
    try:
        base, scaling = _rope(facts)
        return Shape(
            dim=facts.size("hidden_size"),
            hidden=facts.size("intermediate_size"),
            layers=facts.size("num_hidden_layers"),
            heads=heads,
            kv_heads=facts.size("num_key_value_heads", *([heads] if kind == "llama" else [])),
            vocab=vocab,
            seq_len=facts.size("max_position_embeddings"),
            head_dim=facts.size("head_dim", 0, least=0),
            rope_base=base,
            rope_scaling=scaling,
            norm_epsilon=facts.number("rms_norm_eps"),
            qkv_bias=kind == "qwen2",
            end_ids=ends,
            bos=begin,
        )
    except BadInput as error:
        if str(error).startswith(facts.where):
            raise
        raise BadInput(f"{facts.where}: {error}") from None


def _rope(facts: Facts) -> tuple[float, Llama3Scaling | None]:
    """Base and scaling, from `rope_parameters` or, before Transformers 5, from two keys."""
    new = facts.get("rope_parameters", None)
    old = facts.get("rope_scaling", None)
    base = facts.number("rope_theta", 10000.0)
    values: Mapping[str, Any] = {}
    for name, given in (("rope_scaling", old), ("rope_parameters", new)):
        if given is not None:
            if not isinstance(given, dict):
                raise BadInput(f"{facts.where}: {name} = {brief(given)} is no JSON object")
            values = given
    rope = Facts(f"{facts.where}: rope_parameters", values, facts.refused)
    base = rope.number("rope_theta", base)
    rope.supported("partial_rotary_factor", 1)
    rope.supported("rope_type", "default", "llama3")
    rope.supported("type", "default", "llama3")
    kind = rope.get("rope_type", rope.get("type", "default"))
    scaling = None
    if kind == "llama3":
        scaling = Llama3Scaling(
            factor=rope.number("factor"),
            low_freq_factor=rope.number("low_freq_factor"),
            high_freq_factor=rope.number("high_freq_factor"),
            original_seq_len=rope.size("original_max_position_embeddings"),
        )
        rope.refuse_unseen()
    elif kind == "default":
        rope.refuse_unseen()
    return base, scaling


def _ends(folder: Path, facts: Facts) -> tuple[int, ...]:
    """The ids that end a text: those of `generation_config.json`, else of `config.json`."""
    path = folder / GENERATION
    if path.exists():
        generation = Facts(shown(path), read_object(path, LONGEST_JSON), [])
        if ends := generation.ids("eos_token_id"):
            return ends
    return facts.ids("eos_token_id")
