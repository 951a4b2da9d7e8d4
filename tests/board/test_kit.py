"""The files for a board: simulated by other people's tools, and held against each other."""

import itertools
import json
import re
import shutil
import subprocess

import pytest
from click.testing import CliRunner

from board.description import describe_core
from board.kit import FILES
from board.picture import PAUSE, drawn, first_cycles
from design.__main__ import main
from golden.calibrate import config_for
from golden.checkpoint import random_checkpoint
from golden.checkpoints import DEFAULT, load_checkpoint
from golden.image import pack, save
from golden.quantise import quantise
from golden.sampler import Sampler
from golden.tokenizers import tokenizer_of
from sim.generation import fixed_tokens
from spec.config import CONFIGS, CacheBacking, config_hash
from tools.compiler import find_compiler
from tools.verilator import build_testbench, root

NANO = CONFIGS["nano"]
EXTERNAL = NANO.with_lanes(1).with_cache(CacheBacking.EXTERNAL)
#: verilator -Wall, with the waivers beside the core.
LINT = ("--lint-only", "-Wall", "core.vlt", "core.v")


def random_model(config, seed=1):
    return quantise(random_checkpoint(config.shape, seed), config)


def export(*arguments):
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def refused(*arguments) -> str:
    result = export(*arguments)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    return line.removeprefix("error: ")


def exported(folder, config):
    save(folder / "weights", random_model(config))
    result = export(folder / "weights", "-o", folder / "kit")
    assert result.exit_code == 0, result.output
    return folder / "kit"


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """Of nano."""
    return exported(tmp_path_factory.mktemp("board"), NANO)


@pytest.fixture(scope="module")
def external_kit(tmp_path_factory):
    """Of nano on one lane, its cache in a memory; the hash is longer than a beat."""
    return exported(tmp_path_factory.mktemp("board"), EXTERNAL)


def run(command, folder) -> tuple[int, str]:
    result = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300
    )
    return result.returncode, result.stdout


def test_the_model_that_comes_along_tells_its_story_in_verilator(tmp_path):
    folder, tokens = tmp_path / "kit", 40
    assert export(DEFAULT, "--tokens", tokens, "-o", folder).exit_code == 0
    checkpoint = load_checkpoint(DEFAULT)
    shape, model = checkpoint.shape, quantise(checkpoint, config_for(checkpoint))
    story = fixed_tokens(model, [shape.first_id], tokens, Sampler(shape.vocab, temperature=0))
    text = tokenizer_of(DEFAULT, shape.vocab).decode_all(list(story)).decode()
    assert len(text.split()) > 15
    files = ["core.v", "testbench.v"]
    program = build_testbench(folder, files, "testbench", find_compiler().command)
    code, output = run([str(program)], folder)
    assert code == 0 and f"{tokens} tokens" in output, output
    assert text.strip() in output


def with_another_hash(folder):
    """The name of an image like that in `folder`, but for its hash."""
    lines = (folder / "image.hex").read_text().splitlines()
    digit = "1" if lines[-1][0] == "0" else "0"
    (folder / "other.hex").write_text("\n".join([*lines[:-1], digit + lines[-1][1:]]) + "\n")
    return "other.hex"


def simulates(command, folder):
    """The testbench passes, with and without pauses, and refuses what is not its own."""
    counts = []
    for pauses in ([], ["+stalls=7"]):
        code, output = run([*command, *pauses], folder)
        assert code == 0, output
        passed = re.search(r"PASS, hash (\w+), 8 tokens, (\d+) cycles", output)
        assert passed, output
        assert passed[1] == json.loads((folder / "core.json").read_text())["hash"]
        counts.append(int(passed[2]))
    assert counts[0] < counts[1]
    code, output = run([*command, f"+image={with_another_hash(folder)}"], folder)
    assert code != 0 and "FAIL" in output and "PASS" not in output


def test_verilator_runs_it_to_its_tokens(kit):
    program = build_testbench(kit, ["core.v", "testbench.v"], "testbench", find_compiler().command)
    simulates([str(program)], kit)
    (program.parent / "simulate").unlink()
    shutil.rmtree(kit / "model")


@pytest.mark.parametrize("generation", ["2005", "2012"])
@pytest.mark.parametrize("which", ["kit", "external_kit"])
def test_icarus_runs_it_to_its_tokens(request, which, generation):
    if shutil.which("iverilog") is None:
        pytest.skip("no Icarus Verilog: iverilog is not on the PATH")
    folder = request.getfixturevalue(which)
    command = ["iverilog", f"-g{generation}", "-Wall", "-o", "test.vvp", "core.v", "testbench.v"]
    assert run(command, folder) == (0, "")
    simulates(["vvp", "-N", "test.vvp"], folder)


def test_a_wrong_weight_is_noticed(kit):
    if shutil.which("iverilog") is None:
        pytest.skip("no Icarus Verilog: iverilog is not on the PATH")
    run(["iverilog", "-o", "wrong.vvp", "core.v", "testbench.v"], kit)
    lines = (kit / "image.hex").read_text().splitlines()
    wrong = [re.sub("[0-7]", lambda digit: str(int(digit[0]) ^ 7), line) for line in lines[:-1]]
    (kit / "wrong.hex").write_text("\n".join([*wrong, lines[-1]]) + "\n")
    code, output = run(["vvp", "-N", "wrong.vvp", "+image=wrong.hex"], kit)
    assert code != 0 and "FAIL" in output


def lint(folder) -> tuple[int, str]:
    """Exit code and messages of Verilator for the core in `folder`, with the waivers there."""
    command = [root() / "bin" / "verilator_bin", *LINT]
    result = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={"VERILATOR_ROOT": str(root())}
    )
    return result.returncode, result.stderr


def test_every_warning_is_waived_with_a_reason_and_no_waiver_is_idle(kit, external_kit, tmp_path):
    assert lint(kit) == lint(external_kit) == (0, "")
    lines = (kit / "core.vlt").read_text().splitlines()
    rules = [line for line in lines if line.startswith("lint_off")]
    assert len(rules) > 3
    for before, line in itertools.pairwise(lines):
        if line.startswith("lint_off"):
            assert before.startswith("//"), f"no reason above {line}"
    shutil.copy(kit / "core.v", tmp_path)
    for rule in rules:
        (tmp_path / "core.vlt").write_text("\n".join(line for line in lines if line != rule))
        code, messages = lint(tmp_path)
        assert code and f"%Warning-{rule.split()[2]}:" in messages, f"{rule} waives nothing"


def test_the_description_is_that_of_the_verilog(kit):
    core = json.loads((kit / "core.json").read_text())
    text = (kit / "core.v").read_text()
    top = text.split(f"\nmodule {core['top']}(")[1].split("\nendmodule")[0]
    declared = {
        name: (direction, int(high or 0) + 1)
        for direction, high, name in re.findall(
            r"^  (input|output) (?:\[(\d+):0\] )?(\w+);$", top, re.M
        )
    }
    described = {port["name"]: (port["direction"], port["width"]) for port in core["ports"]}
    assert described == declared
    assert f"HASH = 64'h{core['hash']};" in text
    for port in core["ports"]:
        if "fields" in port:
            assert sum(field["width"] for field in port["fields"]) == port["width"]
        if "elements" in port:
            assert port["elements"] * port["element"]["width"] == port["width"]
    assert core["cycles"]["of_the_last_chosen_token"] > 0


def test_bytes_and_text_are_the_packed_image(kit):
    packed = pack(random_model(NANO))
    assert (kit / "image.bin").read_bytes() == packed.astype("<i2").tobytes()
    lines = (kit / "image.hex").read_text().splitlines()
    for line, beat in zip(lines, packed, strict=False):
        value = sum((int(weight) & 0xFFFF) << 16 * lane for lane, weight in enumerate(beat))
        assert int(line, 16) == value
    assert lines[len(packed) :] == [config_hash(NANO)]


def test_the_page_says_what_the_description_says(kit, external_kit):
    for folder, config in ((kit, NANO), (external_kit, EXTERNAL)):
        page = (folder / "integrating.html").read_text()
        for port in describe_core(config)["ports"]:
            assert f"<code>{port['name']}</code>" in page
        assert "<svg" in page
        assert ("Memory of keys and values" in page) is (config is EXTERNAL)


def test_the_picture_is_of_a_run():
    packed = pack(random_model(NANO))
    waves = {wave.name: wave.values for wave in first_cycles(NANO, packed, 5)}
    fetched = [address for address in waves["o_fetch.payload.address"] if address is not None]
    beats = describe_core(NANO)["weight_image"]
    assert fetched[0] == 5 * beats["embedding_beats_per_token"]
    assert beats["first_layer_beat"] in fetched
    assert waves["i_token.payload.id"][0] == 5
    taken = [
        beat
        for beat, valid, ready in zip(
            waves["i_weights.payload"], waves["i_weights.valid"], waves["i_weights.ready"],
            strict=True,
        )
        if valid and ready
    ]  # fmt: skip
    assert taken[0] == f"beat {fetched[0]}" and len(taken) > 5
    assert waves["i_weights.valid"][PAUSE] == 0
    assert drawn(first_cycles(NANO, packed, 5)).count("<path") > 50


def test_a_kit_is_the_same_from_run_to_run(kit, tmp_path):
    again = exported(tmp_path, NANO)
    for name in FILES:
        assert (again / name).read_bytes() == (kit / name).read_bytes(), name


def test_what_cannot_be_exported_is_refused_at_once(tmp_path):
    save(tmp_path / "weights", random_model(NANO))
    weights, out = tmp_path / "weights", tmp_path / "out"
    assert refused("-o", out) == "name either a MODEL or --config NAME"
    assert refused(weights, "--config", "nano", "-o", out).startswith("name either")
    assert refused(weights, "--lanes", 8, "-o", out).startswith("--lanes = 8: ")
    assert refused(weights, "--prompt", "Once", "-o", out) == "--prompt = 'Once' needs --tokenizer"
    assert "is a file" in refused(weights, "-o", weights)
    assert "does not exist" in refused(weights, "-o", tmp_path / "no" / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    assert "not part of an export: 'mine.txt'" in refused(weights, "-o", tmp_path / "full")
    assert not out.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "weights"]
