"""Verilog as a tool reads it: the ports there are, and what the largest decoders cost."""

import resource
import subprocess
import sys

import pytest

from design.export import to_verilog
from spec.config import CONFIGS, CacheBacking
from tools.yosys import run_yosys

#: Of the largest named decoder: what its export may take.
SECONDS, GIGABYTES = 60, 4


def ports(verilog: str) -> set[str]:
    """Names of the ports of the top."""
    return set(
        verilog.split("\nmodule veridecode(")[1].split(");")[0].replace("\n", "").split(", ")
    )


MOVES = {
    "o_kv_read__valid", "o_kv_read__ready", "i_kv_words__valid", "i_kv_words__ready",
    "o_kv_write__valid", "o_kv_write__ready", "i_kv_written",
}  # fmt: skip
PAYLOADS = {"o_kv_read__payload", "i_kv_words__payload", "o_kv_write__payload"}


@pytest.mark.parametrize("cache", CacheBacking)
def test_a_tool_reads_it(tmp_path, cache):
    text = to_verilog(CONFIGS["nano"].with_cache(cache))
    found = {port.strip() for port in ports(text)}
    assert found >= MOVES
    assert (found & PAYLOADS) == (PAYLOADS if cache is CacheBacking.EXTERNAL else set())
    (tmp_path / "core.v").write_text(text)
    script = "read_verilog core.v\nhierarchy -check -top veridecode\nproc\ncheck -assert\n"
    assert "ERROR" not in run_yosys(script, tmp_path)


def test_the_largest_decoder_is_exported(tmp_path):
    core = tmp_path / "core.v"
    command = [sys.executable, "-m", "design", "export", "--config", "llama2_70b", "-o", str(core)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < SECONDS
    # The largest of all children, in kilobytes (on macOS in bytes, which is the stricter bound).
    assert after.ru_maxrss < GIGABYTES << 20 or sys.platform == "darwin"
    text = core.read_text()
    assert {port.strip() for port in ports(text)} >= MOVES | PAYLOADS
    assert "input [255:0] i_kv_words__payload;" in text  # one KV head, 16 elements of 16 bits
