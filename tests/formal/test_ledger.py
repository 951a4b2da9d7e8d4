"""The audit of the ledger finds unpaid suppositions."""

import subprocess
import sys
from pathlib import Path

from formal.ledger import LINES
from formal.ledger import page as ledger_page
from formal.ledger.audit import Alone, Claim, Line, Outside, Paid, Proof, audit

ROOT = Path(__file__).resolve().parent.parent.parent


def proof(task, *, claims=(), supposes=(), proved=True, config="nano"):
    return Proof(task, config, claims, supposes, proved)


def line(tasks, names, *payments):
    return Line((tasks,), (names,), payments)


PAYS = line("reader", "in_range", Paid((Claim("writer", "*"),)))
READER = proof("reader", supposes=["in_range", "chosen_row_exists"])
WRITER = proof("writer", claims=["in_range"])


def look(lines, *proofs, besides=()):
    """An audit of a table of these proofs, and of others that were not run."""
    return audit(lines, proofs, [*((proof.task, proof.config) for proof in proofs), *besides])


def holes(lines, *proofs, besides=()):
    return look(lines, *proofs, besides=besides).holes


def test_what_is_paid_is_green():
    result = look([PAYS], READER, WRITER)
    assert result.holes == []
    assert result.paid == {("reader", "nano", "in_range"): PAYS.payments[0]}


def test_a_supposition_that_no_line_names_is_a_hole():
    assert holes([], READER) == [
        "reader nano supposes in_range: no line of the ledger names a payer"
    ]


def test_a_payer_at_another_configuration_does_not_pay():
    other = proof("writer", claims=["in_range"], config="nano@16")
    (hole,) = holes([PAYS], READER, other)
    assert hole == "reader nano supposes in_range: no payer in the table at this configuration"


def test_a_payer_without_the_claim_does_not_pay():
    assert holes([PAYS], READER, proof("writer", claims=["something"]))


def test_a_payer_that_is_not_proved_does_not_pay():
    (hole,) = holes([PAYS], READER, proof("writer", claims=["in_range"], proved=False))
    assert hole == ("reader nano supposes in_range: its payer writer nano is not proved")


def test_who_pays_for_himself_over_others_is_a_circle():
    back = line("writer", "ready", Paid((Claim("reader", "ready"),)))
    reader = proof("reader", claims=["ready"], supposes=["in_range"])
    writer = proof("writer", claims=["in_range"], supposes=["ready"])
    assert holes([PAYS, back], reader, writer) == [
        "a cycle of payers: reader nano -> writer nano -> reader nano"
    ]


def test_a_line_that_nobody_needs_is_a_hole_of_the_whole():
    stale = line("gone", "*", Outside("a port"))
    assert holes([PAYS, stale], READER, WRITER) == ["unused line of the ledger for * of gone"]
    other = [("gone", "nano@16")]
    assert holes([PAYS, stale], READER, WRITER, besides=other) == []


def test_the_first_payment_that_is_there_pays():
    chain = Paid((Claim("stage", "first"), Claim("link")), "carried on")
    either = line("reader", "in_range", Paid((Claim("writer", "*"),)), chain)
    stage, link = proof("stage", claims=["first"]), proof("link", claims=["anything"])
    assert look([either], READER, WRITER, stage, link).paid == {
        ("reader", "nano", "in_range"): either.payments[0]
    }
    assert look([either], READER, stage, link).paid == {("reader", "nano", "in_range"): chain}
    # All of a chain must be proved.
    broken = proof("link", claims=["anything"], proved=False)
    assert len(holes([either], READER, stage, broken)) == 1


def test_loops_that_run_any_number_of_times_pay_too():
    assert holes([PAYS], READER, proof("writer_loops", claims=["in_range"])) == []


def test_the_outside_and_what_stands_alone_need_no_payer():
    for payment in (Outside("the port"), Alone("too large", ("nano",))):
        assert holes([line("reader", "*", payment)], READER) == []
    elsewhere = line("reader", "*", Alone("too large", ("llama2_7b",)))
    assert holes([elsewhere], READER)


def test_a_payer_of_the_table_that_was_not_asked_about_is_not_missed():
    assert holes([PAYS], READER, besides=[("writer", "nano")]) == []
    assert holes([PAYS], READER, besides=[("writer", "nano@16")])


def test_the_page_is_that_of_the_ledger():
    page = (ROOT / "docs" / "assumptions.md").read_text("utf-8")
    assert page == ledger_page.page(LINES), "write docs/assumptions.md anew"


def test_the_command_shows_the_ledger():
    answer = subprocess.run(
        [sys.executable, "-m", "formal", "list", "--assumptions"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0
    assert answer.stdout == ledger_page.page(LINES)
