"""Output files are written atomically, and keep mode, owner and links."""

import fcntl
import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from tools.errors import BadInput
from tools.files import check_writable, replacing, scratch_folder, write_atomically, writing

ROOT = Path(__file__).parents[2]


def mode(path: Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_mode_and_links_stay(tmp_path):
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.parent.mkdir()
    link.symlink_to("folder/target")
    write_atomically(link, "first")  # a link may point at a file that does not exist yet
    assert link.is_symlink() and target.read_text() == "first"
    for bits in (0o600, 0o640, 0o755):
        target.chmod(bits)
        write_atomically(link, "again")
        assert mode(target) == bits
    assert link.is_symlink() and target.read_text() == "again"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder", "link", "target"]


def test_a_new_file_has_the_mode_of_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        write_atomically(tmp_path / "new", "x")
    finally:
        os.umask(old)
    assert mode(tmp_path / "new") == 0o640


def test_a_pipe_is_written_to(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    contents = []
    reader = threading.Thread(target=lambda: contents.append(pipe.read_bytes()))
    reader.start()
    check_writable(pipe, "--output")
    write_atomically(pipe, "through")
    reader.join(timeout=10)
    assert contents == [b"through"] and stat.S_ISFIFO(os.stat(pipe).st_mode)


def test_a_device_is_written_to(tmp_path):
    """A pseudo-terminal is a device that needs no privileges."""
    reader, terminal = os.openpty()
    device = Path(os.ttyname(terminal))
    (tmp_path / "link").symlink_to(device)
    try:
        for path in (device, tmp_path / "link"):
            check_writable(path, "--output")
            write_atomically(path, "text\n")
            assert os.read(reader, 100) == b"text\r\n"
            assert stat.S_ISCHR(os.stat(device).st_mode)
    finally:
        os.close(reader)
        os.close(terminal)
    assert (tmp_path / "link").is_symlink()


def output_of(code: str, **redirections) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", f"from tools.files import *; {code}"],
        cwd=ROOT, text=True, check=False, stderr=subprocess.PIPE, **redirections,
    )  # fmt: skip


def test_standard_output_is_a_file_like_others(tmp_path):
    code = "print('before'); write_atomically('-', 'text\\n'); print('behind')"
    assert output_of(code, stdout=subprocess.PIPE).stdout == "before\ntext\nbehind\n"
    log = tmp_path / "log"
    log.write_text("old\n")
    for name in ("/dev/stdout", "/dev/fd/1"):
        with log.open("a") as sink:
            assert output_of(f"write_atomically('{name}', 'more\\n')", stdout=sink).returncode == 0
    assert log.read_text() == "old\nmore\nmore\n"


def test_a_body_that_fails_changes_nothing(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    for error, caught in ((ValueError, ValueError), (OSError(28, "full"), BadInput)):
        with pytest.raises(caught), replacing(path) as file:
            file.write(b"half")
            raise error
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_errors_about_other_files_keep_their_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"), replacing(tmp_path / "file"):
        Path("/nowhere/at/all").read_bytes()
    with pytest.raises(BadInput, match="place: cannot be written"), writing(tmp_path / "place"):
        (tmp_path / "missing" / "file").write_bytes(b"")


def test_paths_that_cannot_be_written(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for path, message in (
        (tmp_path, "is a folder, not a file"),
        (tmp_path / "no" / "file", "does not exist"),
        (tmp_path / "loop", r"cannot be written \(Too many levels of symbolic links\)"),
    ):
        with pytest.raises(BadInput, match=message):
            check_writable(path, "--output")
    for path in (tmp_path / "no" / "file", tmp_path / "loop"):
        with pytest.raises(BadInput, match="cannot be written"):
            write_atomically(path, "x")


def test_leftovers_of_killed_runs_are_removed(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from tools.files import scratch_folder\n"
        f"with scratch_folder(Path({str(tmp_path)!r}), '.building-') as folder:\n"
        "    (folder / 'half').touch(); print(folder, flush=True); time.sleep(60)"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, text=True, stdout=subprocess.PIPE
    )
    assert running.stdout is not None
    leftover = Path(running.stdout.readline().strip())
    long_ago = time.time() - 1000
    os.utime(leftover, (long_ago, long_ago))
    with scratch_folder(tmp_path, ".building-"):
        assert leftover.is_dir()  # its process lives
    running.kill()
    running.communicate()
    with scratch_folder(tmp_path, ".building-") as mine:
        assert sorted(tmp_path.iterdir()) == [mine]
        mine.rename(tmp_path / "built")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "built"]


def test_new_folders_of_other_processes_are_kept(tmp_path):
    (tmp_path / ".building-new").mkdir()
    with scratch_folder(tmp_path, ".building-"):
        pass
    assert (tmp_path / ".building-new").is_dir()


def test_a_folder_that_another_process_looks_at_is_waited_for(tmp_path, monkeypatch):
    """Whoever clears up holds the lock of a new folder for a moment."""
    make = tempfile.mkdtemp

    def looked_at(*args, **kwargs):
        folder = make(*args, **kwargs)
        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        threading.Timer(0.1, os.close, [descriptor]).start()
        return folder

    monkeypatch.setattr(tempfile, "mkdtemp", looked_at)
    write_atomically(tmp_path / "file", "text")
    assert (tmp_path / "file").read_text() == "text"
