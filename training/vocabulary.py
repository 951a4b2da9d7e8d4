"""The vocabulary of the stories: byte-pair encoding like that of Llama 2, with 512 pieces."""

import json
from collections.abc import Iterable
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer

SIZE = 512
#: Number of stories for the vocabulary, not used in training.
STORIES = 4000
UNKNOWN, BOS, EOS = "<unk>", "<s>", "</s>"
#: Every byte has a piece, so that any text can be spelled; ids as in llama2.c, 3 to 258.
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))


def train(texts: Iterable[str]) -> Tokenizer:
    """The tokenizer for `texts`; deterministic."""
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN, fuse_unk=True, byte_fallback=True))
    space = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first")
    # Runs of punctuation are separate pieces, so that a name in quotes has the usual pieces.
    signs = pre_tokenizers.Split(Regex(r"▁?[^\w▁]+"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([space, signs])
    trainer = BpeTrainer(
        vocab_size=SIZE, special_tokens=[UNKNOWN, BOS, EOS, *BYTES], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    # The trainer got the bytes as special tokens, but they are fallback pieces of the model.
    content["added_tokens"] = [token for token in content["added_tokens"] if token["id"] < 3]
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, 1)]
    )
    return tokenizer
