"""Recognises files of formats that are not supported, by their first bytes."""

import string

#: First bytes of files that are often found beside models, and the names of their formats.
BEGINNINGS = {
    b"PK\x03\x04": "a zip archive, as PyTorch checkpoints are",
    b"PK\x05\x06": "an empty zip archive",
    b"\x80\x02": "a Python pickle, as old PyTorch checkpoints are",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    b"version https://git-lfs": "a Git LFS pointer ('git lfs pull' fetches the file itself)",
    b"FUGG": "a big-endian GGUF file",
    b"ggml": "a GGML file, from before GGUF",
    b"lmgg": "a GGML file, from before GGUF",
    b"fmgg": "a GGML file, from before GGUF",
    b"tjgg": "a GGML file, from before GGUF",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a numpy array",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"%PDF": "a PDF document",
    b"\x7fELF": "an ELF program",
    b"\x89PNG": "a PNG picture",
    b"\x0a\x0e\x0a\x05<unk>": "a SentencePiece model",
}
_TAR = (257, b"ustar")
_TEXT = frozenset(string.printable.encode())


def foreign(head: bytes) -> str | None:
    """The format of a file from its first 512 bytes, or None if it is unknown."""
    if not head:
        return "an empty file"
    for beginning, name in BEGINNINGS.items():
        if head.startswith(beginning):
            return name
    if head[_TAR[0] :].startswith(_TAR[1]):
        return "a tar archive"
    # The shortest header of llama2.c has 28 bytes; if all are letters, they are not sizes.
    if _TEXT.issuperset(head[:28]):
        text = head.decode("latin-1").lstrip()
        if text[:14].lower().startswith(("<!doctype html", "<html")):
            return "an HTML page (a failed download?)"
        if text.startswith("<"):
            return "an XML text (an error message of a download?)"
        return f"a text that begins with {' '.join(text.split())[:40]!r}"
    return None
