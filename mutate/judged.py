"""What mutants are judged on."""

#: The small decoders, the cheapest first; `mutate.inside.decoders` makes them.
DECODERS = ("nano", "nano-16-external", "biased-4", "nano-2-wide", "odd-8-external")
