"""Suppositions of the theorems about the KV caches, and their payers."""

from formal.ledger.audit import Line, Unpaid
from formal.ledger.chains import MEMORY, WORDS_IN_ORDER, chain, duty, line, paid

LINES: tuple[Line, ...] = (
    line("kv.single_writer kv.bypass.* kv.last_write.* kv.naive kv.row_done kv.in_range",
        "one_write write_in_range read_in_range row_when_idle write_inside_row",
        paid("composition.cache_kept")),
    line("kv.row_done", "each_element_once", paid("composition.cache_kept", "element_once")),
    line("kv.layers kv.group.*", "start_enabled layer_in_range", duty("cache")),
    line("kv.queries", "write_in_range", duty("queries")),
    line("kv.external.* composition.*_external",
        "acknowledges_a_write delivers_what_was_asked shows_content", MEMORY),
    line("kv.external.*", "row_when_stored",
        chain("composition.cache_kept_external: row_when_read",
            "kv.external.requests: stored_before_read",
            because="the words of the previous row were read, so it was stored", earlier=True),
        chain(*WORDS_IN_ORDER, "kv.external.requests: stored_before_read",
            because="the next row is announced after the last beat of this one, so this one was"
            " stored", earlier=True)),
    line("kv.external.*", "row_when_read reads_in_order", paid("composition.cache_kept_external"),
        chain(*WORDS_IN_ORDER,
            because="stages offer the words of a row in the order of its passes, and beats pass"
            " `Issue` in order")),
    line("kv.external.*", "reads_what_is_claimed", paid("composition.cache_kept_external"),
        chain("dataflow.operands: claims_its_word",
            because="a beat claims its word when it enters, and reads it later")),
    line("kv.external.*", "*", paid("composition.cache_kept_external"),
        Unpaid("too many states of memory and whole decoder together; nano with 1 to 32 lanes is"
            " proved", ("stories260k",))),
)  # fmt: skip
