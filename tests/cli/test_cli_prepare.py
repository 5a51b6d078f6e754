"""`whitecrow data get` and `data prepare`, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from running import Run

NORMAL, ODD = 120, 60


@pytest.fixture
def malmem(tmp_path: Path) -> Path:
    """Memory dumps in the layout of Obfuscated-MalMem2022.csv, with fewer columns."""
    rng = np.random.default_rng(0)
    lines = ["Category,pslist.nproc,pslist.nppid,pslist.nprocs64bit,Class"]
    for number in range(NORMAL + ODD):
        odd = number >= NORMAL
        name = f"Trojan-Zeus-{number:08x}-1.raw" if odd else "Benign"
        a, b = rng.normal(40 + 20 * odd, 2, 2)
        lines.append(f"{name},{a:.3f},{b:.3f},0,{'Malware' if odd else 'Benign'}")
    path = tmp_path / "Obfuscated-MalMem2022.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data folder but the one of the test."""
    monkeypatch.setattr("whitecrow.data.places.places", lambda: [tmp_path / "no-data"])


def test_what_was_prepared_can_be_searched(run: Run, malmem: Path) -> None:
    done = run("data", "prepare", "MalMem2022", malmem, "-o", "m.parquet")
    assert (done.code, done.err) == (0, "")
    for said in (
        "180 rows read, 180 written",
        "label: 1 = attack, 0 = normal; 60 anomalies (33 %)",
        "categories: normal 120, Trojan 60",
        "left out: 'pslist.nprocs64bit', constant (0)",
        "data card: m.card.json",
    ):
        assert said in done.out
    found = run(
        *("detect", "m.parquet", "--label-column", "label", "--ignore", "category"),
        *("-o", "report", "--json"),
    )
    assert found.code == 0, found.err
    assert run("data", "prepare", "malmem", malmem, "-o", "m.parquet").code == 0


def test_the_same_as_json(run: Run, malmem: Path) -> None:
    done = run(
        *("data", "prepare", "malmem2022", malmem, "-o", "m.parquet", "--json"),
        *("--anomaly", "normal", "--attack-names", "--drop-duplicates"),
    )
    card = done.json
    assert card["label_convention"] == "REVERSED: 1 = normal, 0 = attack"
    assert (card["rows"], card["anomalies"]) == (NORMAL + ODD, NORMAL)
    assert card["categories"] == {"normal": NORMAL, "Trojan-Zeus": ODD}
    kept = json.loads(Path("m.card.json").read_text())
    assert kept == {k: v for k, v in card.items() if k not in ("path", "card")}


@pytest.mark.usefixtures("nowhere")
def test_a_prepared_set_has_a_name(run: Run, malmem: Path, tmp_path: Path) -> None:
    folder = tmp_path / "no-data" / "prepared"
    folder.mkdir(parents=True)
    out = folder / "malmem2022.parquet"
    assert run("data", "prepare", "malmem2022", malmem, "-o", out).code == 0
    listed = {
        entry["name"]: entry for entry in run("data", "list", "--json").json["sets"]
    }
    assert listed["malmem2022"]["available"]
    shown = run("data", "show", "malmem2022").out
    assert "label: 1 = attack, 0 = normal" in shown
    assert str(out) in run("data", "get", "malmem2022").out
    fitted = run("fit", "malmem2022", "-o", "m.crow")
    assert fitted.code == 0, fitted.err
    assert "60 anomalies, 120 normal" in fitted.out


def test_without_a_name_all_sets_are_listed(run: Run) -> None:
    done = run("data", "prepare", "--json")
    names = {entry["name"]: entry["label_convention"] for entry in done.json["sets"]}
    assert names["kdd10"].startswith("REVERSED")
    assert names["nsl_kdd"].startswith("1 = attack")
    assert "usb_ids_1" in run("data", "prepare").out


@pytest.mark.usefixtures("nowhere")
def test_a_set_that_is_not_prepared_yet_can_be_shown(run: Run) -> None:
    said = run("data", "show", "USB-IDS-1").out
    assert "label: REVERSED" in said
    assert "prepare: whitecrow data prepare usb_ids_1 USB-IDS-1/ -o" in said


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["get", "ids2017"], "by hand, from https://www.unb.ca/cic/datasets/ids-2017"),
        (["get", "NSL-KDD"], "then run `whitecrow data prepare nsl_kdd KDDTrain"),
        (["get", "kdd_11"], "no data set is called 'kdd_11'"),
        (["prepare", "kdd_11", "-o", "a.parquet"], "there are arrhythmia, cic_ids2017"),
        (["prepare", "malmem2022", "-o", "a.parquet"], "has to be fetched by hand"),
        (["prepare", "malmem2022", "a.csv"], "such as -o malmem2022.parquet"),
        (["prepare", "malmem2022", "no.csv", "-o", "a.parquet"], "no such file"),
        (["prepare", "kdd10", "a", "-o", "b.parquet", "--anomaly", "x"], "anomaly"),
    ],
)
def test_refusals_are_one_line(run: Run, arguments: list[str], said: str) -> None:
    done = run("data", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err
    assert list(Path().glob("*.parquet*")) == []


def test_originals_in_the_data_folder_are_found(
    run: Run, real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHITECROW_DATA", str(real_data))
    done = run("data", "get", "kdd10", "--json").json
    assert done["next"] == (
        "whitecrow data prepare kdd10 kddcup99_10percent -o kdd10.parquet"
    )
    assert [Path(path).exists() for path in done["paths"]] == [True]
