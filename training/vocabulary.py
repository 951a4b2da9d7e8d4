"""The vocabulary of the stories: byte-pair encoding in the manner of Llama 2, of 512 pieces."""

import json
from collections.abc import Iterable
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer

SIZE = 512
#: Stories that it is made from, and that no training sees.
STORIES = 4000
UNKNOWN, BOS, EOS = "<unk>", "<s>", "</s>"
#: Every byte has a piece, so that any text can be spelled; ids as in llama2.c, 3 to 258.
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))


def train(texts: Iterable[str]) -> Tokenizer:
    """The tokenizer that `texts` want; the same for the same texts."""
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN, fuse_unk=True, byte_fallback=True))
    space = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first")
    # Runs of punctuation are pieces of their own: a name in quotes is spelled like any other.
    signs = pre_tokenizers.Split(Regex(r"▁?[^\w▁]+"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([space, signs])
    trainer = BpeTrainer(
        vocab_size=SIZE, special_tokens=[UNKNOWN, BOS, EOS, *BYTES], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    # The trainer knows the bytes as special tokens; they are pieces that the model falls back to.
    content["added_tokens"] = [each for each in content["added_tokens"] if each["id"] < 3]
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
