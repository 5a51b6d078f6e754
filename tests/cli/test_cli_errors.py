"""Bad input: one line that says what to do, exit code 2, nothing written."""

from __future__ import annotations

import re
import resource
from pathlib import Path

import numpy as np
import pytest
from running import Run


def fails(done: object, *patterns: str) -> None:
    code, out, err, _ = done  # type: ignore[misc]
    assert (code, out) == (2, "")
    assert err.startswith("whitecrow: ")
    assert err.count("\n") == 1, err
    for pattern in patterns:
        assert re.search(pattern, err), f"{pattern!r} is not in {err!r}"


BAD_FILES = {
    "empty.csv": (b"", "empty"),
    "header.csv": (b"a,b\n", "no row"),
    "ragged.csv": (b"a,b\n1,2\n3\n", "line 3"),
    "binary.csv": (bytes(range(256)) * 20, "not text"),
    "table.xlsx": (b"PK\x03\x04" + b"0" * 50, "broken or cut-off workbook"),
    "cut.csv.gz": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "gzip"),
    "cut.parquet": (b"PAR1 nonsense", "[Pp]arquet"),
    "cut.npz": (b"PK\x03\x04" + b"1" * 20, "npz"),
    "missing.csv": (b"a,b\n,\n,\n", "missing"),
    "constant.csv": (b"a,b\n1,2\n1,2\n1,2\n", "no column.*can be used.*constant"),
}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("command", ["detect", "fit"])
def test_bad_files(run: Run, name: str, command: str) -> None:
    content, expected = BAD_FILES[name]
    Path(name).write_bytes(content)
    fails(run(command, name, "-o", "out"), re.escape(name) + "|table", expected)
    left = [path for path in Path().iterdir() if path.name != name]
    assert [path.name for path in left if path.is_file()] == []
    assert all(list(path.iterdir()) == [] for path in left)


def test_no_such_file_names_where_it_was_looked_for(run: Run) -> None:
    fails(run("detect", "nowhere.csv", "-o", "out"), "nowhere.csv", "looked")
    fails(run("detect", "no*.csv", "-o", "out"), "matches no file")
    fails(
        run("score", "no.crow", "breast_cancer", "-o", "s.csv"),
        "no such model file.*fit",
    )
    fails(run("data", "show", "cardoi"), "cardio")


def test_mistakes_on_the_command_line_are_named(run: Run) -> None:
    commands = "demo, detect, .*data, methods, doctor; see `whitecrow --help`"
    fails(run("nosuch"), f"there is no command 'nosuch'; commands: {commands}")
    fails(run("detekt"), r"did you mean 'detect'\? commands: demo")
    fails(run("experiment", "no"), "commands: run, report, list; see")
    fails(run("score", "m.crow"), "DATA is missing; see `whitecrow score --help`")
    fails(run("fit", "x.csv", "--preset"), "--preset needs a value")


def test_a_folder_without_pictures(run: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    fails(run("detect", "folder", "-o", "out"), "no pictures")


def test_broken_pictures_are_named_skipped_and_counted(
    run: Run, pictures: Path
) -> None:
    (pictures / "train" / "good" / "bad.png").write_bytes(b"not a picture")
    done = run("detect", pictures, "-o", "out")
    assert done.code == 0
    assert "broken and skipped: 1" in done.out
    assert "train/good/bad.png" in Path("out/report.html").read_text()


@pytest.mark.parametrize(
    ("words", "patterns"),
    [
        (["--label-column", "Y"], ["--label-column", "no column 'Y'", "'y'"]),
        (["--ignore", "flwo"], ["--ignore", "'flow'"]),
        (["--label-column", "colour"], ["'red'|'green'", "--anomaly-value"]),
        (
            ["--label-column", "colour", "--anomaly-value", "blue"],
            ["no 'blue'", "violet"],
        ),
        (["--anomaly-value", "1"], ["--label-column"]),
        (["--label-column", "y", "--labels", "odd"], ["deep-sad, sklearn-semi"]),
        (
            ["--label-column", "y", "--labels", "deep-sad", "--anomaly-value", "1"],
            ["give one"],
        ),
        (["--method", "lofty"], ["no method 'lofty'", "lof, "]),
        (["--method", "padim"], ["padim does not take table input", "lof"]),
        (["--model.treees", "3"], ["treees", "Consensus has no parameter"]),
        (
            ["--method", "lof", "--model.n-neighbours", "3"],
            ["did you mean --model.n_neighbors"],
        ),
        (
            ["--method", "deep_sad", "--model.epochs", "many"],
            ["--model.epochs must be a whole number, not 'many'"],
        ),
        (["--method", "autoencoder", "--model.epochs", "-1"], ["epochs", "-1"]),
        (["--method", "autoencoder", "--model.act_fn", "x"], ["act_fn", "relu"]),
        (["--method", "lof", "--preset", "mine"], ["no preset 'mine'"]),
        (["--contamination", "0.7"], ["--contamination '0.7'", "0.5"]),
        (["--contamination", "some"], ["--contamination 'some'"]),
        (["--top", "-1"], ["--top -1"]),
        (["--use-labels", "--ignore", "y"], ["has no labels", "--label-column"]),
        (["--method", "autoencoder", "--model.epochs", "x"], ["auto", "int", "'x'"]),
        (["--auxiliary-noise", "uniform"], ["takes no auxiliary"]),
        (
            ["--method", "hsc", "--auxiliary", "pumps.csv"],
            ["--auxiliary: pumps.csv is what training rows come from"],
        ),
        (
            ["--method", "hsc", "--auxiliary-size", "5"],
            ["either --auxiliary, the name of a set, or --auxiliary-noise"],
        ),
        (
            ["--method", "hsc", "--auxiliary-noise", "pink"],
            ["--auxiliary-noise = 'pink'; use uniform, gaussian, shuffled"],
        ),
        (
            ["--method", "hsc", "--auxiliary-noise=uniform", "--auxiliary-blur=2"],
            ["--auxiliary-blur is for pictures"],
        ),
        (
            ["--method", "hsc", "--auxiliary", "nowhere.csv"],
            ["nowhere.csv: no such file"],
        ),
    ],
)
def test_bad_options(
    run: Run, table: Path, words: list[str], patterns: list[str]
) -> None:
    fails(run("detect", table, *words, "-o", "out"), *patterns)
    assert not Path("out").exists() or list(Path("out").iterdir()) == []


def test_negative_labels_show_every_reading(run: Run, table: Path) -> None:
    table.write_text(table.read_text().replace(",1\n", ",-1\n"))
    fails(
        run("detect", table, "--label-column", "y", "-o", "out"),
        "label '-1' in row 240",
        "--labels deep-sad.*--labels sklearn-semi.*--labels outlier-predict",
    )


def test_columns_that_do_not_fit_the_model(run: Run, table: Path) -> None:
    run("fit", table, "--ignore", "y", "-o", "m.crow")
    text = table.read_text()
    Path("renamed.csv").write_text(text.replace("flow,", "fluw,"))
    Path("typed.csv").write_text("flow,load,colour\n50,150,red\nfast,151,red\n")
    fails(
        run("score", "m.crow", "renamed.csv", "-o", "s.csv"),
        "'flow'",
        "missing",
        "fluw",
    )
    fails(run("score", "m.crow", "typed.csv", "-o", "s.csv"), "'flow'", "'fast'")
    fails(run("explain", "m.crow", "renamed.csv"), "'flow'")
    np.savez("a.npz", X=np.zeros((5, 9)))
    fails(run("score", "m.crow", "a.npz", "-o", "s.csv"), "missing")
    assert not Path("s.csv").exists()


def test_a_label_that_the_model_saw_as_a_feature(run: Run, table: Path) -> None:
    run("fit", table, "-o", "m.crow")
    fails(
        run("score", "m.crow", table, "--label-column", "y", "-o", "s.parquet"),
        "'y' as a feature",
        "fit it again",
    )


def test_pictures_for_a_table_and_a_table_for_pictures(
    run: Run, table: Path, pictures: Path
) -> None:
    run("fit", table, "--ignore", "y", "-o", "t.crow")
    run("fit", pictures / "train", "-o", "p.crow")
    fails(run("score", "t.crow", pictures, "-o", "s.csv"), "pictures.*takes a table")
    fails(run("explain", "t.crow", pictures), "pictures.*takes a table")
    fails(run("score", "p.crow", table, "-o", "s.csv"), "table.*takes pictures")
    fails(run("fit", pictures, "--ignore", "a", "-o", "m"), "--ignore.*no columns")


def test_a_row_that_is_not_there(run: Run, table: Path) -> None:
    run("fit", table, "--ignore", "y", "-o", "m.crow")
    for row in ("252", "-1"):
        fails(run("explain", "m.crow", table, f"--row={row}"), "rows 0 to 251")


@pytest.mark.parametrize("damage", ["text", "cut", "changed"])
def test_broken_models(run: Run, table: Path, damage: str) -> None:
    run("fit", table, "--ignore", "y", "-o", "m.crow")
    content = Path("m.crow").read_bytes()
    middle = len(content) // 2
    broken = {
        "text": b"no model",
        "cut": content[:middle],
        "changed": content[:middle]
        + bytes([content[middle] ^ 1])
        + content[middle + 1 :],
    }
    Path("m.crow").write_bytes(broken[damage])
    fails(run("score", "m.crow", table, "-o", "s.parquet"), r"m\.crow")
    fails(run("explain", "m.crow", table), r"m\.crow")
    assert not Path("s.parquet").exists()


def test_an_output_is_never_an_input(run: Run, table: Path) -> None:
    run("fit", table, "--ignore", "y", "-o", "m.crow")
    model, data = Path("m.crow").read_bytes(), table.read_bytes()
    Path("link.csv").symlink_to(table)
    same = ("pumps.csv", "./pumps.csv", str(table.resolve()), "link.csv")
    for name in same:
        said = "overwrite the input"
        fails(run("score", "m.crow", table, "-o", name), said)
        fails(run("fit", table, "-o", name), said)
        fails(run("detect", table, "-o", name), said)
    fails(run("score", "m.crow", "link.csv", "-o", "pumps.csv"), "overwrite the input")
    fails(run("score", "m.crow", table, "-o", "s.xlsx"), "workbooks are read but not")
    Path("flagged.csv").write_bytes(data)
    fails(run("detect", "flagged.csv", "-o", "."), "overwrite the input")
    assert (Path("m.crow").read_bytes(), table.read_bytes()) == (model, data)
    assert Path("flagged.csv").read_bytes() == data


def test_outputs_that_cannot_be_written(run: Run, table: Path) -> None:
    Path("file").write_text("")
    Path("folder").mkdir()
    fails(run("detect", table, "-o", "file"), "cannot write file")
    fails(run("detect", table, "-o", "file/out"), "cannot write file/out")
    fails(run("fit", table, "-o", "folder"), "it is a folder")
    fails(run("fit", table, "-o", "no/m.crow"), "no folder no")
    run("fit", table, "--ignore", "y", "-o", "m.crow")
    fails(run("score", "m.crow", table, "-o", "no/s.parquet"), "no folder no")
    fails(run("demo", "-o", "file"), "cannot write file")


def small_files() -> None:
    """Refuse files beyond 2 kB, as a full disk does in the middle of a write."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))


@pytest.mark.parametrize(
    "words",
    [
        ("detect", "pumps.csv", "-o", "out"),
        ("fit", "pumps.csv", "-o", "m.crow"),
        ("score", "good.crow", "breast_cancer", "-o", "s.parquet"),
    ],
)
def test_a_full_disk_leaves_nothing_half_written(
    run: Run, run_process: Run, table: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    assert run("fit", "breast_cancer", "-o", "good.crow").code == 0
    target = Path(words[-1])
    if target.suffix:
        target.write_text("older, anomaly_score")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    done = run_process(*words, preexec_fn=small_files)
    fails(done, "cannot write|cannot be written", "File too large")
    after = sorted(path.name for path in tmp_path.rglob("*"))
    assert [name for name in after if name not in before] in ([], ["out"])
    if target.suffix:
        assert target.read_text() == "older, anomaly_score"


def test_what_the_library_logs_is_one_line_on_stderr(run: Run) -> None:
    Path("two.csv").write_text("a,b\n1,2\n3,4\n")
    done = run("detect", "two.csv", "--method", "lof", "-o", "out")
    assert done.code == 0
    assert done.err.startswith("whitecrow: note: n_neighbors=20 is too many")
    assert done.err.count("\n") == 1


def test_warnings_are_one_line_on_stderr(
    run: Run, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import warnings

    from whitecrow.data import source

    opened = source.open_source

    def warn(*args: object, **kwargs: object) -> object:
        warnings.warn("first\nsecond", UserWarning, stacklevel=1)
        return opened(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(source, "open_source", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        done = run("detect", table, "--ignore", "y", "-o", "out", "--json")
    assert done.code == 0
    assert done.err == "whitecrow: note: first second\n"
    assert done.json["rows"]


def test_only_our_own_files_are_overwritten(run: Run, table: Path) -> None:
    Path("notes.txt").write_text("a,b\n1,2\n")
    fails(run("fit", table, "-o", "notes.txt"), "notes.txt exists and is not of white")
    fails(run("fit", table, "-o", "/dev/full"), "no regular file")
    assert Path("/dev/full").is_char_device()
    Path("mine").mkdir()
    for name in ("report.html", "flagged.csv"):
        Path("mine", name).write_text("<p>mine")
        fails(run("detect", table, "-o", "mine"), f"mine/{name} exists and is not of")
        Path("mine", name).unlink()
    Path("mine/report.html").mkdir()
    fails(run("detect", table, "-o", "mine"), "report.html: it is a folder")
    assert [path.name for path in Path("mine").iterdir()] == ["report.html"]
    fails(run("detect", table, "-o", "out.csv"), "would be a folder.*without .csv")
    assert not Path("out.csv").exists()
    assert Path("notes.txt").read_text() == "a,b\n1,2\n"


def test_our_own_files_are_replaced(run: Run, table: Path) -> None:
    detect = ("detect", table, "--method", "ecod", "-o", "out")
    assert [run(*detect).code for _ in range(2)] == [0, 0]
    for _ in range(2):
        for name in ("s.csv", "s.csv.gz", "s.parquet"):
            assert run("score", "out/model.crow", table, "-o", name).code == 0
    fit = ("fit", table, "--method", "ecod", "-o", "out/model.crow")
    assert run(*fit).code == 0


def test_a_model_and_data_are_told_apart(run: Run, table: Path) -> None:
    assert run("detect", table, "--method", "ecod", "-o", "out").code == 0
    model = "out/model.crow"
    for command in ("score", "explain"):
        said = f"model comes first: whitecrow {command} {model} pumps.csv"
        fails(run(command, "pumps.csv", model), said)
        fails(run(command, ".", "pumps.csv"), "folder without model.crow")
        fails(run(command, model, "pumps.csv", "--ignore", "flow"), "when it is fitted")
    assert run("score", "out", "pumps.csv", "-o", "s.csv").code == 0
    fails(run("detect", "pumps.csv", "pumps.csv"), "one too many.*pattern in quotes")


@pytest.mark.parametrize(
    "words",
    [
        ("explain", "m.crow", "x.csv", "--row", "7.5"),
        ("detect", "x.csv", "--top", "2.5"),
        ("detect", "x.csv", "--top", "1e1"),
        ("detect", "x.csv", "--seed", "1.7"),
        ("label", "x.csv", "--budget", "2.5"),
        ("experiment", "run", "x.toml", "--jobs", "1.5"),
    ],
)
def test_numbers_that_count_are_whole(run: Run, words: tuple[str, ...]) -> None:
    fails(run(*words), f"{words[-1]!r} is not a whole number")


def test_a_seed_is_not_negative(run: Run, table: Path) -> None:
    fails(
        run("detect", table, "--seed", "-1", "-o", "out"), "--seed -1: a seed is a wh"
    )
