"""The tokenizer of a Hugging Face folder: ids and text of the library, and refusals of our own."""

import json
import resource
import sys
from pathlib import Path

import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, normalizers

from golden.tokenizers import Tokenizer, load_tokenizer, tokenizer_of
from golden.tokenizers.huggingface import begins_with
from tests.golden.folders import byte_level
from tools.errors import BadInput

MERGES = [("h", "e"), ("l", "l"), ("he", "ll"), ("Ġ", "w"), ("Ã", "©")]

#: The chat of SmolLM2, in small.
TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CHAT = [{"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def library() -> tokenizers.Tokenizer:
    return byte_level(300, MERGES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, library) -> Path:
    path = tmp_path_factory.mktemp("tokenizer")
    library.save(str(path / "tokenizer.json"))
    return path


@pytest.fixture(scope="module")
def subject(folder) -> Tokenizer:
    return load_tokenizer(folder, 300)


def written(folder: Path, values: dict) -> Path:
    (folder / "tokenizer.json").write_text(json.dumps(values))
    return folder / "tokenizer.json"


def refusal(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        load_tokenizer(path, 300)
    message = str(caught.value)
    assert "\n" not in message and message.count(str(path)) == 1
    return message


def streamed(subject: Tokenizer, ids: list[int]) -> bytes:
    stream = subject.stream()
    return b"".join([*map(stream.put, ids), stream.end()])


def test_bos_is_in_front_unless_told_otherwise(subject, library):
    assert subject.encode("hello")[:1] == [0] == subject.encode("")
    assert subject.encode("hello", bos=False) == subject.encode("hello")[1:]
    assert subject.encode("", bos=False) == []


@settings(max_examples=150, deadline=None)
@given(text=st.text())
@example(text="hello wörld <|im_end|>\n\0é😀")
def test_ids_and_text_are_those_of_the_library(subject, library, text):
    ids = subject.encode(text)
    assert ids == library.encode(text).ids
    assert subject.decode_all(ids) == library.decode(ids).encode()
    assert streamed(subject, ids) == subject.decode_all(ids)


@settings(max_examples=150, deadline=None)
@given(ids=st.lists(st.integers(0, 320), max_size=12))
@example(ids=[3 + 0x9F, 3 + 0x92])
def test_any_ids_stream_as_they_decode(subject, ids):
    assert streamed(subject, ids) == subject.decode_all(ids)


def test_special_tokens_are_no_text(subject):
    ids = subject.encode("<|im_start|>hello<|im_end|>")
    assert ids[:2] == [0, 1] and ids[-1] == 2
    assert streamed(subject, ids) == b"hello"


def test_a_character_comes_whole(subject):
    ids = subject.encode("é😀", bos=False)
    parts = list(map(subject.stream().put, ids))
    assert [part.decode() for part in parts if part] == ["é", "😀"]


def test_text_that_is_no_unicode(subject):
    with pytest.raises(BadInput, match=r"text character 1 = '\\ud800'"):
        subject.encode("x\ud800")


# What the vocabulary cannot spell.


def test_characters_without_a_piece_are_refused(tmp_path):
    plain = tokenizers.Tokenizer(models.BPE(vocab={"a": 0, "b": 1, "ab": 2}, merges=[("a", "b")]))
    plain.save(str(tmp_path / "tokenizer.json"))
    subject = load_tokenizer(tmp_path, 3)
    assert subject.encode("abab") == [2, 2]
    with pytest.raises(BadInput, match="text holds '#', for which the tokenizer of 3 tokens"):
        subject.encode("a#b")


def test_the_unknown_token_is_no_spelling(tmp_path):
    model = models.BPE(vocab={"<unk>": 0, "▁": 1, "a": 2}, merges=[], unk_token="<unk>")
    plain = tokenizers.Tokenizer(model)
    plain.normalizer = normalizers.Replace(" ", "▁")
    plain.add_special_tokens(["<unk>"])
    plain.save(str(tmp_path / "tokenizer.json"))
    subject = load_tokenizer(tmp_path, 3)
    assert subject.encode("a a<unk>") == [2, 1, 2, 0]
    with pytest.raises(BadInput, match=r"text holds '\\xe9', for which"):
        subject.encode("a é")


def test_sentencepiece_falls_back_on_bytes(tmp_path):
    vocab = {"<unk>": 0} | {f"<0x{byte:02X}>": 1 + byte for byte in range(256)}
    vocab |= {"▁": 257, "a": 258}
    model = models.BPE(vocab=vocab, merges=[], unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    plain = tokenizers.Tokenizer(model)
    plain.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    plain.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
         decoders.Strip(" ", 1, 0)]
    )  # fmt: skip
    plain.save(str(tmp_path / "tokenizer.json"))
    subject = load_tokenizer(tmp_path, 259)
    ids = subject.encode("a é")
    assert ids == [257, 258, 257, 1 + 0xC3, 1 + 0xA9]
    assert streamed(subject, ids) == "a é".encode()


# What begins a text.


def test_begins_with(tmp_path, folder):
    assert begins_with(folder, 7) == 0
    assert begins_with(tmp_path, 7) == 7  # no tokenizer: what the configuration says
    assert begins_with(tmp_path, None) is None
    byte_level(300, bos=False).save(str(tmp_path / "tokenizer.json"))
    assert begins_with(tmp_path, 7) is None


# Chats.


def with_template(folder: Path, tmp_path: Path, template: object) -> Tokenizer:
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    config = {"chat_template": template, "bos_token": {"content": "<|bos|>"}, "eos_token": None}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    return load_tokenizer(tmp_path, 300)


def test_chat(folder, tmp_path, subject):
    chatting = with_template(folder, tmp_path, TEMPLATE)
    ids = chatting.chat(CHAT)
    expected = "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
    assert ids == subject.encode(expected, bos=False)
    assert ids[0] == 1
    named = [{"name": "default", "template": "{{bos_token}}x"}, {"name": "rag", "template": ""}]
    assert with_template(folder, tmp_path, named).chat(CHAT)[0] == 0
    (tmp_path / "chat_template.jinja").write_text("{{messages[0].content}}")
    assert load_tokenizer(tmp_path, 300).chat(CHAT) == subject.encode("hello", bos=False)
    with pytest.raises(BadInput, match="has no chat template"):
        subject.chat(CHAT)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% for", "cannot be read"),
        ("{{ raise_exception('only\nusers') }}", r"failed \(only users\)"),
        ("{{ raise_exception('" + "x" * 300 + "') }}", r"failed \(x{200}\)"),
        ("{{ messages.nothing.nothing }}", "failed"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "failed"),
        ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "lines"),
        ("{% for a in range(9999) %}{{ messages|string }}{% endfor %}", "more than 262144 ch"),
        ("{{ 'x' * 1000000000 }}", "failed"),
        ("{{ 9 ** 9 ** 9 }}", "failed"),
        ("{{ 'x'|center(1000000000) }}", "failed"),
        ("{{ '%1000000000s'|format('x') }}", "failed"),
        (
            "{% set ns = namespace(x='xy') %}{% for i in range(60) %}"
            "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
            "failed",
        ),
        ("{% include '/etc/passwd' %}", "failed"),
        ("{{ 1 / 0 }}", "failed"),
        ("x" * 300_000, "has 300000 characters"),
    ],
)
def test_a_template_may_not_do_everything(folder, tmp_path, template, said):
    with pytest.raises(BadInput, match=said) as caught:
        with_template(folder, tmp_path, template).chat(CHAT)
    assert "\n" not in str(caught.value)


def test_what_a_template_may_take_is_its_own(folder, tmp_path):
    """Neither its limits nor its counting stay behind."""
    before = resource.getrlimit(resource.RLIMIT_AS), sys.gettrace()
    with_template(folder, tmp_path, TEMPLATE).chat(CHAT)
    with pytest.raises(BadInput):
        with_template(folder, tmp_path, "{{ 1 / 0 }}").chat(CHAT)
    assert (resource.getrlimit(resource.RLIMIT_AS), sys.gettrace()) == before


# Files.


def test_padding_and_truncation_are_off(tmp_path, library):
    values = json.loads(library.to_str())
    values["truncation"] = {
        "direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0,
    }  # fmt: skip
    values["padding"] = {
        "strategy": {"Fixed": 1 << 40}, "direction": "Right", "pad_to_multiple_of": None,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "x",
    }  # fmt: skip
    subject = load_tokenizer(written(tmp_path, values), 300)
    assert len(subject.encode("a b c")) == 6


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("model", {"type": "Unigram", "vocab": []}, "model has type = 'Unigram', not BPE"),
        ("model", {"type": "BPE", "vocab": {}, "merges": []}, "model.vocab = {} must be"),
        ("model", {"type": "BPE", "vocab": {"a": -1}, "merges": []}, "-1, which is not an id"),
        ("model", {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}, "out of vocabulary"),
        ("model", 5, "part 5 is not a JSON object"),
        ("normalizer", {"type": "Precompiled"}, "normalizer has type = 'Precompiled'"),
        ("pre_tokenizer", {"type": "Sequence", "pretokenizers": [{"type": "X"}]}, "type = 'X'"),
        ("decoder", {"type": "Sequence", "decoders": 5}, "decoders = 5 is not a list"),
        ("post_processor", {"type": "ByteLevel"}, "PostProcessorWrapper"),
    ],
)
def test_parts_that_are_refused(tmp_path, library, part, value, said):
    values = json.loads(library.to_str()) | {part: value}
    assert said in refusal(written(tmp_path, values))


def test_files_that_are_refused(tmp_path):
    assert "tokenizer.json: cannot be read (No such file" in refusal(tmp_path)
    assert "is not a tokenizer.json" in refusal(written(tmp_path, {"model_type": "llama"}))
    for content, said in (
        (b"{", "is not JSON"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a":1,"a":2}', "key 'a' twice"),
        (b"PK\3\4", "is a zip archive"),
    ):
        (tmp_path / "tokenizer.json").write_bytes(content)
        assert said in refusal(tmp_path / "tokenizer.json")


def test_ids_beyond_the_model_are_refused(folder):
    with pytest.raises(BadInput, match="has ids up to 263, but the model has vocab = 200"):
        load_tokenizer(folder, 200)


def test_the_tokenizer_beside_a_model_is_found(folder, tmp_path, subject):
    assert tokenizer_of(folder, 300).encode("x") == subject.encode("x")
    assert tokenizer_of(folder / "model.safetensors", 300).encode("x") == subject.encode("x")
    with pytest.raises(BadInput, match=r"has no tokenizer\.json or tok.*or tok300"):
        tokenizer_of(tmp_path, 300)
