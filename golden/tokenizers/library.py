"""Tokenizers of the library `tokenizers`, with the interface of this repository."""

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence

import tokenizers
from tokenizers.decoders import DecodeStream

from golden.tokenizers.chat import ChatTemplate
from tools.errors import BadInput


class LibraryTokenizer:
    """A tokenizer of the library, with its chat template.

    Special tokens decode to no text, but are recognised in a text that spells them.
    """

    def __init__(self, tokenizer: tokenizers.Tokenizer, chat: ChatTemplate | None) -> None:
        # Both would change the ids; they are settings for training or serving the model.
        tokenizer.no_padding()
        tokenizer.no_truncation()
        if getattr(tokenizer.model, "dropout", None):
            tokenizer.model.dropout = None
        self._library = tokenizer
        self._chat = chat

    @functools.cached_property
    def vocab(self) -> int:
        return 1 + max(self._library.get_vocab(with_added_tokens=True).values(), default=-1)

    @functools.cached_property
    def beginning(self) -> tuple[int, ...]:
        """The ids in front of every text."""
        return tuple(self._library.encode("").ids)

    def encode(self, text: str, bos: bool = True) -> list[int]:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise BadInput(
                f"text character {error.start} = {text[error.start]!a} is not Unicode"
            ) from None
        self._check_spelt(text)
        return list(self._library.encode(text, add_special_tokens=bos).ids)

    @property
    def has_chat(self) -> bool:
        return self._chat is not None

    def files(self) -> dict[str, bytes]:
        """`tokenizer.json`, and `tokenizer_config.json` with the chat template and its names."""
        # Without a class, Transformers uses that of the model's first tokenizer, with other ids.
        config = {"tokenizer_class": "PreTrainedTokenizerFast"}
        if self._chat is not None:
            config |= {**self._chat.specials, "chat_template": self._chat.source}
        return {
            "tokenizer.json": self._library.to_str(pretty=True).encode(),
            "tokenizer_config.json": json.dumps(config, indent=2).encode(),
        }

    def chat(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        if self._chat is None:
            raise BadInput("the tokenizer has no chat template")
        return self.encode(self._chat.render(messages), bos=False)

    def stream(self) -> "LibraryStream":
        return LibraryStream(self._library)

    def decode_all(self, tokens: Iterable[int]) -> bytes:
        return self._library.decode(list(tokens), skip_special_tokens=True).encode()

    def _check_spelt(self, text: str) -> None:
        """Refuse text with characters that the library would drop or replace by its unknown id."""
        library = self._library
        for part in self._added.split(text) if self._added else [text]:
            if library.normalizer is not None:
                part = library.normalizer.normalize_str(part)
            for character in dict.fromkeys(part):
                if not self._can_spell(character):
                    raise BadInput(
                        f"text holds {character!a}, for which the tokenizer of {self.vocab} tokens"
                        " has no piece and no bytes"
                    )

    @functools.cached_property
    def _added(self) -> re.Pattern[str] | None:
        """Matches the added tokens, at which the library splits a text first."""
        added = [token.content for token in self._library.get_added_tokens_decoder().values()]
        return re.compile("|".join(map(re.escape, added))) if added else None

    def _can_spell(self, character: str) -> bool:
        pieces = [(character, (0, 1))]
        if self._library.pre_tokenizer is not None:
            pieces = self._library.pre_tokenizer.pre_tokenize_str(character)
        return all(self._has_symbol(symbol) for piece, _ in pieces for symbol in piece)

    def _has_symbol(self, symbol: str) -> bool:
        known = self._library.token_to_id
        if known(symbol) is not None:
            return True
        fallback = getattr(self._library.model, "byte_fallback", False)
        return fallback and all(known(f"<0x{byte:02X}>") is not None for byte in symbol.encode())


class LibraryStream:
    """Decodes ids one by one."""

    def __init__(self, library: tokenizers.Tokenizer) -> None:
        self._library = library
        self._decoder = DecodeStream(skip_special_tokens=True)
        self._ids: list[int] = []
        self._shown = ""

    def put(self, token: int) -> bytes:
        self._ids.append(token)
        text = self._decoder.step(self._library, token) or ""
        self._shown += text
        return text.encode()

    def end(self) -> bytes:
        whole = self._library.decode(self._ids, skip_special_tokens=True)
        return whole.removeprefix(self._shown).encode() if whole != self._shown else b""
