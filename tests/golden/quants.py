"""Blocks of ggml's number formats, one number at a time (ggml, `src/ggml-quants.c`,
``dequantize_row_*``). Written from the formulas; shares nothing with the package `gguf`."""

import struct

#: Numbers and bytes of a block, and the offsets of its float16 values.
BLOCKS = {
    "Q4_0": (32, 18, (0,)),
    "Q4_1": (32, 20, (0, 2)),
    "Q5_0": (32, 22, (0,)),
    "Q5_1": (32, 24, (0, 2)),
    "Q8_0": (32, 34, (0,)),
    "Q4_K": (256, 144, (0, 2)),
    "Q6_K": (256, 210, (208,)),
}


def decoded(kind: str, raw: bytes) -> list[float]:
    """The numbers of all blocks in `raw`."""
    _, size, _ = BLOCKS[kind]
    blocks = [raw[at : at + size] for at in range(0, len(raw), size)]
    return [number for block in blocks for number in _FORMATS[kind](block)]


def _half(block: bytes, at: int) -> float:
    return struct.unpack_from("<e", block, at)[0]


def _nibbles(quants: bytes) -> list[int]:
    """Low halves first, then the high ones."""
    return [byte & 15 for byte in quants] + [byte >> 4 for byte in quants]


def _q4_0(block: bytes) -> list[float]:
    return [_half(block, 0) * (quant - 8) for quant in _nibbles(block[2:])]


def _q4_1(block: bytes) -> list[float]:
    return [_half(block, 0) * quant + _half(block, 2) for quant in _nibbles(block[4:])]


def _fifth_bits(block: bytes, at: int) -> list[int]:
    (bits,) = struct.unpack_from("<I", block, at)
    return [bits >> index & 1 for index in range(32)]


def _q5_0(block: bytes) -> list[float]:
    pairs = zip(_nibbles(block[6:]), _fifth_bits(block, 2), strict=True)
    return [_half(block, 0) * ((low | high << 4) - 16) for low, high in pairs]


def _q5_1(block: bytes) -> list[float]:
    pairs = zip(_nibbles(block[8:]), _fifth_bits(block, 4), strict=True)
    return [_half(block, 0) * (low | high << 4) + _half(block, 2) for low, high in pairs]


def _q8_0(block: bytes) -> list[float]:
    return [_half(block, 0) * quant for quant in struct.unpack_from("<32b", block, 2)]


def _q4_k(block: bytes) -> list[float]:
    packed, quants = block[4:16], block[16:]
    out = []
    for group in range(8):  # of 32 numbers
        if group < 4:
            scale, least = packed[group] & 63, packed[group + 4] & 63
        else:
            scale = packed[group + 4] & 15 | packed[group - 4] >> 6 << 4
            least = packed[group + 4] >> 4 | packed[group] >> 6 << 4
        for byte in quants[group // 2 * 32 :][:32]:
            quant = byte >> 4 if group % 2 else byte & 15
            out.append(_half(block, 0) * scale * quant - _half(block, 2) * least)
    return out


def _q6_k(block: bytes) -> list[float]:
    low, high = block[:128], block[128:192]
    scales = struct.unpack_from("<16b", block, 192)
    out = []
    for index in range(256):
        half, within = divmod(index, 128)
        row, column = divmod(within, 32)
        byte = low[64 * half + 32 * (row % 2) + column]
        quant = byte >> 4 if row >= 2 else byte & 15
        quant |= (high[32 * half + column] >> 2 * row & 3) << 4
        out.append(_half(block, 208) * scales[index // 16] * (quant - 32))
    return out


_FORMATS = {
    "Q4_0": _q4_0, "Q4_1": _q4_1, "Q5_0": _q5_0, "Q5_1": _q5_1, "Q8_0": _q8_0, "Q4_K": _q4_k,
    "Q6_K": _q6_k,
}  # fmt: skip
