"""Starting: cheap imports, help with examples that run, exit codes, signals, pipes."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from whitecrow.cli import app, main

HEAVY = ("torch", "sklearn", "pyarrow", "matplotlib", "pandas", "scipy", "PIL", "numpy")

ROOT = Path(__file__).parent.parent.parent

COMMANDS = [name for name in app if not name.startswith("-")]
PAGES = [[], *([name] for name in COMMANDS)]
PAGES += [
    [name, inner]
    for name in COMMANDS
    for inner in app[name]
    if not inner.startswith("-")
]


def complaints(err: str) -> list[str]:
    """Lines of stderr that are not the progress of a stage."""
    return [line for line in err.splitlines() if not line.endswith(" ...")]


@pytest.mark.parametrize("module", ["whitecrow", "whitecrow.cli"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*[m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_help_lists_every_command_in_the_order_of_use(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--help"]) == 0
    listed = re.findall(r"^│ (\w+) ", capsys.readouterr().out, re.MULTILINE)
    assert listed == COMMANDS
    assert listed[:5] == ["demo", "detect", "fit", "score", "explain"]


def examples(page: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    assert main([*page, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Example:" in text
    return re.findall(r"^ ?\$ (whitecrow .*?) *$", text, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: " ".join(page) or "whitecrow")
def test_help_shows_an_example_that_works_as_pasted(
    page: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHITECROW_DATA", str(tmp_path))
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    # The page of `label` would wait for Ctrl-C.
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: None)
    found = examples(page, capsys)
    assert found
    assert any(line.split()[1 : 1 + len(page)] == page for line in found)
    for line in found:
        code = main(shlex.split(line)[1:])
        if "--timings" not in line:  # whose limits a busy machine may exceed
            assert code == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["detct"], r"no command 'detct'; did you mean 'detect'\?"),
        (["score", "x.crow"], "whitecrow score --help"),
        (["detect", "x.csv", "-o", "y", "--foo"], "Unknown option: --foo"),
        (["detect", "x.csv", "-o", "y", "--seed", "a"], "seed"),
        (["data", "shw"], "did you mean 'show'"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert re.search(expected, err)


def test_unexpected_errors_keep_their_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from whitecrow.data import catalog

    def broken() -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(catalog, "names", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        main(["data", "list"])


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    import whitecrow

    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == whitecrow.__version__


def test_interrupt_gives_130_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from whitecrow.data import catalog

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(catalog, "names", interrupt)
    assert main(["data", "list"]) == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_ctrl_c_while_training_leaves_nothing_behind(tmp_path: Path) -> None:
    words = "fit breast_cancer --method autoencoder --model.epochs 100000 -o m.crow"
    process = subprocess.Popen(
        [sys.executable, "-m", "whitecrow", *words.split()],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell ignores it in what it runs in the background, and so would the child.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    # Not while Python still imports: it then ends by the signal, 130 to a shell, too.
    seen = iter(process.stderr.readline, "")
    assert any(line.startswith("fitting") for line in seen)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert complaints(err) == [err.splitlines()[-1]]
    assert list(tmp_path.iterdir()) == []


def test_a_closed_pipe_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "whitecrow", "data", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as stream:
        err = stream.read()
    assert (process.wait(), err) == (141, b"")


def test_every_file_of_the_folder_is_a_command() -> None:
    files = {path.stem for path in (ROOT / "src" / "whitecrow" / "cli").glob("*.py")}
    assert {stem for stem in files if not stem.startswith("_")} == set(COMMANDS)
