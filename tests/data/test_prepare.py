"""Published tables from original files: what is read, removed, left out and said.

Real files where the shared data have them; otherwise small ones in the exact layout.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from originals import IDS2017, IDS2018, MALMEM, TEXTS, Flows, gz, kdd_lines

from whitecrow.data import catalog, prepare
from whitecrow.data.entry import digest
from whitecrow.data.formats import open_table
from whitecrow.data.prepare import publish, raw, stream
from whitecrow.data.prepare.seen import Seen, hashed
from whitecrow.data.prepare.stream import Options
from whitecrow.data.source import open_source
from whitecrow.errors import DataError, ParameterError, UserError

KDD = ["normal."] * 8 + ["smurf."] * 20 + ["neptune."] * 4 + ["satan.", "perl."]
WEB = "Web Attack \u2013 Brute Force"  # the dash is \x96 in the file


class Prepared:
    """A table and its data card."""

    def __init__(self, card: dict[str, Any]) -> None:
        self.card = card
        self.table = pq.read_table(card["path"])

    @property
    def features(self) -> list[str]:
        return [
            c
            for c in self.table.column_names
            if c not in ("label", "category", "split")
        ]

    def column(self, name: str) -> list[Any]:
        return self.table[name].to_pylist()


@pytest.fixture
def run(tmp_path: Path):
    def go(name: str, *files: Path | str, **options: Any) -> Prepared:
        out = tmp_path / f"{prepare.find(name).name}.parquet"
        given_files = [str(file) for file in files]
        return Prepared(
            publish.prepare(
                name, given_files, str(out), Options(**options), lambda *_: None
            )
        )

    return go


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def flows_2018(n: int = 40, seed: int = 0) -> Flows:
    return Flows(IDS2018, (["Benign"] * 3 + ["DoS attacks-Hulk"]) * (n // 4), seed)


# ------------------------------------------------------- numbers of the real files


@pytest.mark.parametrize(
    ("name", "rows", "anomalies", "features", "one_hot", "repeated"),
    [
        ("kdd10", 494_021, 97_278, 39, 119, 494_021 - 145_586),
        ("nsl_kdd", 148_517, 71_463, 40, 125, None),
        ("arrhythmia", 452, 66, 257, 257, 0),
        ("thyroid", 3_772, 93, 6, 6, None),
    ],
)
def test_published_numbers(
    real_data, monkeypatch, run, name, rows, anomalies, features, one_hot, repeated
):
    monkeypatch.setenv("WHITECROW_DATA", str(real_data))
    done = run(name)
    card = done.card
    assert (card["rows_read"], card["rows"]) == (rows, rows)
    assert card["anomalies"] == sum(done.column("label")) == anomalies
    assert card["features"] == len(done.features) == features
    assert card["one_hot_features"] == one_hot
    if repeated is not None:
        assert card["repeated_rows"] == repeated
    if name == "kdd10":
        assert card["categories"] == {
            **{"dos": 391_458, "normal": 97_278, "probe": 4_107},
            **{"r2l": 1_126, "u2r": 52},
        }
    if name == "nsl_kdd":
        assert card["splits"] == {"train": 125_973, "test": 22_544}
        assert done.column("split")[125_972:125_974] == ["train", "test"]


def test_the_numbers_in_the_table_are_those_of_the_file(real_data, run):
    original = open_table(real_data / "network" / "nsl_kdd_test.csv.gz").read()
    done = run("nsl_kdd", real_data / "network" / "nsl_kdd_test.csv.gz")
    for name in ("src_bytes", "serror_rate"):
        assert done.column(name) == [float(cell) for cell in original[name].to_pylist()]
    truth = [label != "normal" for label in original["label"].to_pylist()]
    assert done.column("label") == truth


def test_kddrev_has_a_quarter_as_many_attacks_as_normal_rows(
    real_data, monkeypatch, run
):
    monkeypatch.setenv("WHITECROW_DATA", str(real_data))
    card = run("kddrev").card
    assert (card["rows"], card["anomalies"]) == (97_278 + 24_319, 24_319)
    assert card["removed"] == {"attacks thinned out at random": 396_743 - 24_319}


# ----------------------------------------------------------------------------- KDD


@pytest.fixture
def kdd_file(tmp_path):
    return gz(tmp_path / "kddcup.data_10_percent.gz", kdd_lines(KDD))


def test_kdd_files_have_no_header_and_dots_after_labels(run, kdd_file):
    done = run("KDD10", kdd_file)
    assert done.card["rows"] == len(KDD)
    assert done.card["columns_read"] == 42
    assert done.card["categories"] == {"dos": 24, "normal": 8, "probe": 1, "u2r": 1}
    assert done.card["dropped"] == {
        "num_outbound_cmds": "constant (0)",
        "is_host_login": "constant (0)",
    }
    assert set(done.card["symbolic"]) >= {"protocol_type", "land", "logged_in"}
    assert done.table.schema.field("src_bytes").type == pa.int64()
    assert done.table.schema.field("serror_rate").type == pa.float64()
    assert done.table.schema.field("flag").type == pa.string()


def test_kdd_labels_are_reversed_unless_told_otherwise(run, kdd_file):
    usual = run("kdd10", kdd_file)
    turned = run("kdd10", kdd_file, anomaly="attack")
    assert usual.card["label_convention"].startswith("REVERSED: 1 = normal")
    assert turned.card["label_convention"].startswith("1 = attack")
    truth = [label == "normal." for label in KDD]
    assert usual.column("label") == truth
    assert turned.column("label") == [not normal for normal in truth]
    assert usual.column("category") == turned.column("category")


def test_attacks_by_their_own_names(run, kdd_file):
    done = run("kdd10", kdd_file, attack_names=True)
    assert set(done.column("category")) == {
        *("normal", "smurf", "neptune", "satan", "perl")
    }


def test_the_names_file_is_checked_against_the_columns(run, kdd_file, tmp_path):
    from whitecrow.data.prepare.kdd import FEATURES

    kinds = [f"{name}: continuous." for name in FEATURES]
    names = write(tmp_path / "kddcup.names", "back,normal.\n" + "\n".join(kinds))
    assert run("kdd10", kdd_file, names).card["files"] == [kdd_file.name]
    write(names, "back,normal.\n" + "\n".join(kinds[:-1]))
    with pytest.raises(DataError, match=r"describes 40 columns, not the 41"):
        run("kdd10", kdd_file, names)
    with pytest.raises(DataError, match="no file with rows"):
        run("kdd10", write(names, "\n".join(kinds)))


def test_thinning_out_depends_on_the_seed_alone(run, kdd_file):
    first, again = run("kddrev", kdd_file), run("kddrev", kdd_file)
    other = run("kddrev", kdd_file, seed=1)
    assert first.table.equals(again.table)
    assert first.card["anomalies"] == other.card["anomalies"] == 2
    assert not first.table.equals(other.table)


def test_nsl_kdd_keeps_the_official_split_and_not_the_difficulty(run, tmp_path):
    train = write(
        tmp_path / "KDDTrain+.txt",
        kdd_lines(["normal", "neptune", "mscan"] * 5, difficulty=True),
    )
    test = write(
        tmp_path / "KDDTest+.txt",
        kdd_lines(["normal", "xterm"] * 3, seed=1, difficulty=True),
    )
    done = run("nsl-kdd", train, test)
    assert done.column("split") == ["train"] * 15 + ["test"] * 6
    assert done.column("label")[:3] == [0, 1, 1]
    assert done.column("category")[:3] == ["normal", "dos", "probe"]
    assert "difficulty" in done.card["dropped"]
    assert "difficulty" not in done.table.column_names
    assert done.card["ignore"] == ["category", "split"]
    with pytest.raises(DataError, match="train or the test part"):
        run("nsl_kdd", write(tmp_path / "KDD+.txt", train.read_text()))


# ----------------------------------------------------------------- CIC-IDS2017


@pytest.fixture
def flows_2017():
    labels = ["BENIGN"] * 30 + ["DoS Hulk", "DDoS", "FTP-Patator", WEB] * 3
    return Flows(IDS2017, labels)


def test_ids2017_has_65_features_and_survives_its_headers(run, tmp_path, flows_2017):
    flows = flows_2017
    flows.put(0, "Flow Bytes/s", "Infinity")
    flows.put(1, "Flow Bytes/s", "NaN")
    flows.put(1, "Flow Packets/s", "Infinity")
    flows.put(2, "Bwd Header Length", "-1")
    flows.put(3, "Flow IAT Min", "-14")  # among the columns that go anyway
    file = write(tmp_path / "Thursday.csv", flows.text(), "cp1252")
    done = run("CIC-IDS2017", file)
    assert len(done.features) == 65
    assert {"Fwd Header Length", "Fwd Header Length.1"} <= set(done.features)
    assert not any(name != name.strip() for name in done.features)
    assert done.column("Flow Bytes/s")[:2] == [0.0, 0.0]
    assert done.card["undefined_set_to_0"] == {"Flow Bytes/s": 2, "Flow Packets/s": 1}
    assert done.card["removed"] == {"rows with a negative value": 1}
    assert done.card["rows"] == 41
    assert done.card["categories"] == {
        **{"normal": 29, "DoS": 3, "DDoS": 3, "FTP-Patator": 3},
        "Web Attack": 3,
    }
    named = run("ids2017", file, attack_names=True).column("category")
    assert "Web Attack - Brute Force" in named


def test_undefined_rates_can_remove_the_row_instead(run, tmp_path, flows_2017):
    flows_2017.put(0, "Flow Bytes/s", "Infinity")
    flows_2017.put(1, "Flow Bytes/s", "NaN")
    file = write(tmp_path / "a.csv", flows_2017.text(), "cp1252")
    done = run("cic_ids2017", file, remove_undefined=True)
    assert done.card["removed"] == {"rows with a missing or infinite value": 2}
    assert done.card["undefined_set_to_0"] == {}
    assert np.isfinite(done.table["Flow Bytes/s"].to_numpy()).all()


def test_blank_rows_of_the_labelled_flows_are_counted(run, tmp_path, flows_2017):
    text = flows_2017.text() + ("," * 78 + "\n") * 3
    done = run("cic_ids2017", write(tmp_path / "a.csv", text, "cp1252"))
    assert done.card["rows_read"] == 45
    assert done.card["removed"] == {"rows without a label": 3}


# ---------------------------------------------------------------- CSE-CIC-IDS2018


def test_ids2018_has_66_features_and_counts_repeated_headers(run, tmp_path):
    folder = tmp_path / "flows"
    write(folder / "a.csv", flows_2018().text(repeat_header_before=(5, 17)))
    # One of the ten files has four columns more.
    extended = Flows(["Flow ID", "Src IP", "Src Port", "Dst IP", *IDS2018], ["Bot"] * 4)
    write(folder / "b.csv", extended.text())
    done = run("ids2018", folder)
    assert len(done.features) == 66
    assert done.card["files"] == ["a.csv", "b.csv"]
    assert done.card["rows_read"] == 46
    assert done.card["rows"] == 44
    assert done.card["removed"] == {"header rows repeated among the data": 2}
    assert done.card["categories"] == {"normal": 30, "DoS": 10, "Bot": 4}
    assert "Flow Duration" in done.features
    assert not {"Dst Port", "Init Fwd Win Byts", *TEXTS} & set(done.features)
    reasons = done.card["dropped"]
    assert reasons["Dst Port"] == "a port is a name, not a quantity"
    assert sum(reason == "constant (0)" for reason in reasons.values()) == 8


@pytest.mark.parametrize(
    ("group", "features"),
    [
        *(("group1", 15), ("group2", 8), ("group3", 6), ("group4", 2), ("group5", 66)),
        *(("group1A", 14), ("group2A", 7), ("group3A", 5), ("group4A", 1)),
        ("group5A", 65),
    ],
)
def test_feature_groups_keep_the_same_rows(run, tmp_path, group, features):
    flows = flows_2018()
    flows.put(0, "Idle Max", "")
    done = run("ids2018", write(tmp_path / "a.csv", flows.text()), columns=group)
    assert len(done.features) == features
    assert ("Dst Port" in done.features) == (not group.endswith("A"))
    assert done.card["rows"] == 39


def test_families_of_ids2018(run, tmp_path):
    labels = {
        "Benign": "normal",
        "DDOS attack-HOIC": "DDoS",
        "DDoS attacks-LOIC-HTTP": "DDoS",
        "DoS attacks-SlowHTTPTest": "DoS",
        "Infilteration": "Infiltration",
        "Brute Force -Web": "Web Attack",
        "Brute Force -XSS": "Web Attack",
        "SQL Injection": "Web Attack",
        "FTP-BruteForce": "FTP-BruteForce",
        "SSH-Bruteforce": "SSH-Bruteforce",
        "Bot": "Bot",
    }
    file = write(tmp_path / "a.csv", Flows(IDS2018, list(labels)).text())
    assert run("ids2018", file).column("category") == list(labels.values())


# --------------------------------------------------------- USB-IDS-1, MalMem2022


def test_usb_ids_is_a_folder_of_gzip_and_reversed(run, tmp_path):
    folder = tmp_path / "usb"
    folder.mkdir()
    flows = Flows(IDS2017, ["BENIGN"] * 20)
    for row in range(3):
        flows.put(row, "Idle Min", "-1")  # 3 of 40: the rows go
        flows.put(row + 10, "Idle Max", "-1")
    flows.put(5, "Idle Max", "-1")  # 4 of 40: the column goes
    flows.put(7, "Active Mean", "NaN")
    gz(folder / "REGULAR.csv.gz", flows.text())
    attacks = Flows(IDS2017, ["Hulk-NoDefense"] * 20, seed=1)
    gz(folder / "Hulk-NoDefense.csv.gz", attacks.text())
    (folder / "readme.txt").write_text("not a table")
    done = run("usb-ids-1", folder)
    assert done.card["label_convention"].startswith("REVERSED")
    assert done.card["rows"] == 36
    assert done.card["removed"] == {
        "rows with a negative value": 3,
        "rows with a missing or infinite value": 1,
    }
    assert done.card["dropped"]["Idle Max"] == (
        "10 % of the cells are negative, which cannot be"
    )
    assert done.card["categories"] == {"Hulk": 20, "normal": 16}
    assert done.card["anomalies"] == 16
    assert "Flow Duration" not in done.features
    assert "Destination Port" in done.features
    assert done.table["Destination Port"].type == pa.float64()  # a number as it is


def test_malmem_has_52_features_and_families_without_hashes(run, tmp_path):
    labels = ["Benign"] * 4
    labels += [f"Ransomware-Ako-{n:040x}-1.raw" for n in range(3)]
    labels += ["Spyware-180solutions-00ff-10.raw"]
    file = write(tmp_path / "malmem.csv", Flows(MALMEM, labels).text())
    done = run("malmem2022", file)
    assert len(done.features) == 52
    assert done.column("label") == [0] * 4 + [1] * 4
    assert done.card["categories"] == {"normal": 4, "Ransomware": 3, "Spyware": 1}
    assert done.card["dropped"].keys() == {
        *("Class", "pslist.nprocs64bit", "handles.nport"),
        "svcscan.interactive_process_services",
    }
    named = run("malmem", file, attack_names=True)
    assert set(named.column("category")) == {
        *("normal", "Ransomware-Ako", "Spyware-180solutions")
    }


# ------------------------------------------------------------- rules for all sets


def test_columns_with_a_tenth_of_bad_cells_go_and_otherwise_the_rows(run, tmp_path):
    flows = flows_2018(40)
    for row in range(4):
        flows.put(row, "Active Std", "Infinity")
    for row, word in ((10, "Infinity"), (11, "abc"), (12, "")):
        flows.put(row, "Active Max", word)
    flows.put(13, "Active Max", " 17 ")  # a number, with blanks around it
    done = run("ids2018", write(tmp_path / "a.csv", flows.text()))
    assert done.card["dropped"]["Active Std"] == (
        "10 % of the cells are missing, infinite or no numbers"
    )
    assert done.card["removed"] == {"rows with a missing or infinite value": 3}
    assert len(done.features) == 65
    assert 17.0 in done.column("Active Max")
    for name in done.features:
        assert np.isfinite(done.table[name].to_numpy()).all()


def test_a_column_that_is_constant_only_in_the_rows_that_stay(run, tmp_path):
    flows = flows_2018()
    for row in range(40):
        flows.put(row, "Idle Std", "3")
    flows.put(0, "Idle Std", "4")
    flows.put(0, "Idle Max", "NaN")
    done = run("ids2018", write(tmp_path / "a.csv", flows.text()))
    assert done.card["dropped"]["Idle Std"] == "constant once rows were removed"
    assert len(done.features) == 65
    assert done.card["rows"] == 39
    assert done.card["repeated_rows"] == 0


def test_duplicates_are_counted_and_removed_only_when_asked(run, tmp_path):
    flows = flows_2018()
    flows.rows += [list(flows.rows[0]), list(flows.rows[3]), list(flows.rows[0])]
    flows.put(42, "Label", "Bot")  # the same numbers, but another attack
    file = write(tmp_path / "a.csv", flows.text())
    kept = run("ids2018", file)
    assert (kept.card["rows"], kept.card["repeated_rows"]) == (43, 2)
    dropped = run("ids2018", file, drop_duplicates=True)
    assert (dropped.card["rows"], dropped.card["repeated_rows"]) == (41, 2)
    assert dropped.card["removed"] == {"rows that repeat an earlier one": 2}
    assert dropped.table.slice(0, 40).equals(kept.table.slice(0, 40))


@given(st.lists(st.lists(st.integers(0, 40), max_size=20), max_size=12))
def test_repeats_are_found_like_a_set_does(batches):
    seen, known = Seen(), set()
    for batch in batches:
        expected = []
        for value in batch:
            expected.append(value in known)
            known.add(value)
        found = seen.add(np.array(batch, dtype=np.uint64))
        assert found.tolist() == expected


def test_hashes_tell_columns_and_small_differences_apart():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (20_000, 12)).astype(float)
    X[:, 3] = np.nextafter(X[:, 3], rng.choice([-1.0, 4.0], len(X)))
    hashes = hashed(X.T, len(X))
    assert len(np.unique(hashes)) == len(np.unique(X, axis=0))
    assert hashed([np.array([-0.0])], 1) == hashed([np.array([0.0])], 1)


def test_line_ends_and_marks_of_windows_change_nothing(run, tmp_path):
    text = flows_2018().text()
    usual = run("ids2018", write(tmp_path / "a.csv", text))
    text = "\ufeff" + text.replace("\n", "\r\n")
    assert run("ids2018", write(tmp_path / "a.csv", text)).table.equals(usual.table)


def test_small_batches_give_the_same_table(run, tmp_path, monkeypatch):
    flows = flows_2018(200)
    flows.put(7, "Idle Max", "Infinity")
    flows.rows += flows.rows[:5]
    file = write(tmp_path / "a.csv", flows.text(repeat_header_before=(90,)))
    whole = run("ids2018", file, drop_duplicates=True)
    monkeypatch.setattr(raw, "BLOCK_BYTES", 4096)
    monkeypatch.setattr(stream, "GROUP_ROWS", 32)
    parts = run("ids2018", file, drop_duplicates=True)
    assert pq.ParquetFile(parts.card["path"]).num_row_groups > 5
    assert parts.table.equals(whole.table)
    ignored = ("bytes", "sha256")
    assert {k: v for k, v in parts.card.items() if k not in ignored} == {
        k: v for k, v in whole.card.items() if k not in ignored
    }


def test_features_do_not_depend_on_the_labels(run, tmp_path):
    flows = flows_2018()
    usual = run("ids2018", write(tmp_path / "a.csv", flows.text()), columns="group5")
    for row in range(40):
        flows.put(row, "Label", "Benign" if row % 2 else "Bot")
    other = run("ids2018", write(tmp_path / "a.csv", flows.text()), columns="group5")
    assert usual.features == other.features
    assert usual.table.select(usual.features).equals(other.table.select(usual.features))
    assert usual.column("label") != other.column("label")


def test_the_table_and_the_card_say_what_the_label_means(run, kdd_file, tmp_path):
    done = run("kdd10", kdd_file)
    about = json.loads(done.table.schema.metadata[stream.METADATA_KEY])
    assert about["label_convention"] == "REVERSED: 1 = normal, 0 = attack"
    assert about["ignore"] == ["category"]
    assert "num_outbound_cmds" in about["dropped"]
    card = json.loads((tmp_path / "kdd10.card.json").read_text())
    assert card["sha256"] == digest(tmp_path / "kdd10.parquet")
    assert card["rows"] == done.table.num_rows
    assert str(tmp_path) not in json.dumps(card)
    assert any("REVERSED" in line for line in publish.lines(done.card))


def test_files_without_attacks_are_noted(run, tmp_path):
    file = write(tmp_path / "Monday.csv", Flows(IDS2018, ["Benign"] * 9).text())
    assert "there is no attack" in run("ids2018", file).card["notes"][0]
    file = write(tmp_path / "a.csv", Flows(IDS2018, ["Bot"] * 9).text())
    assert "there is no normal row" in run("ids2018", file).card["notes"][0]


# -------------------------------------------------------------------- in the catalogue


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    (folder / "prepared").mkdir(parents=True)
    monkeypatch.setenv("WHITECROW_DATA", str(folder))
    monkeypatch.setattr("whitecrow.data.places.places", lambda: [folder])
    return folder


def test_a_prepared_set_is_found_by_its_name(data_folder, kdd_file):
    assert not catalog.has("kdd10")
    out = data_folder / "prepared" / "kdd10.parquet"
    publish.prepare("kdd10", [str(kdd_file)], str(out), Options(), lambda *_: None)
    entry = catalog.get("KDD10")
    assert (entry.rows, entry.features, entry.anomalies) == (len(KDD), 39, 8)
    assert "REVERSED" in entry.hint
    assert catalog.path("kdd10", check=True) == out
    source = open_source("kdd10")
    assert source.rows().codes.tolist() == [label == "normal." for label in KDD]
    assert source.ignore == ("category",)
    assert "kdd10" not in catalog.names()


def test_a_broken_card_is_passed_over(data_folder):
    folder = data_folder / "prepared"
    (folder / "a.card.json").write_text("{")
    (folder / "b.card.json").write_text("{}")
    (folder / "b.parquet").write_bytes(b"")
    assert catalog.prepared() == {}
    with pytest.raises(DataError, match="no data set is called 'b'"):
        catalog.get("b")


# ------------------------------------------------------------------------ refusals


def refused(run, name, *files, match, **options):
    with pytest.raises(UserError, match=match) as caught:
        run(name, *files, **options)
    assert "\n" not in str(caught.value)


def test_an_unknown_set_is_answered_with_all_names():
    with pytest.raises(DataError) as caught:
        prepare.find("kdd11")
    for layout in prepare.layouts():
        assert layout.name in str(caught.value)


@pytest.mark.parametrize("layout", prepare.layouts(), ids=lambda layout: layout.name)
def test_every_layout_is_whole(layout):
    for name in (layout.name, layout.name.upper(), *layout.aliases):
        assert prepare.find(name) is layout
    assert layout.normal == layout.normal.lower()
    assert set(layout.here) <= set(catalog.names())
    assert layout.source.startswith("http")


def test_the_page_has_every_set_with_its_convention():
    page = Path(__file__).parents[2] / "docs" / "data.md"
    lines = page.read_text(encoding="utf-8").splitlines()
    for layout in prepare.layouts():
        (row,) = [line for line in lines if line.startswith(f"| `{layout.name}` |")]
        assert ("reversed" in row) == (layout.anomaly == "normal")


def test_names_of_layouts_are_not_shared():
    names = [n for layout in prepare.layouts() for n in (layout.name, *layout.aliases)]
    assert len(names) == len({name.replace("_", "") for name in names})


def test_sets_that_are_not_here_say_where_to_get_them(data_folder):
    with pytest.raises(DataError) as caught:
        publish.originals(prepare.find("ids2017"))
    assert "https://www.unb.ca/cic/datasets/ids-2017.html" in str(caught.value)
    assert "whitecrow data prepare cic_ids2017 MachineLearningCVE/" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"by hand.*kddcup\.data_10_percent\.gz"):
        publish.originals(prepare.find("kdd10"))


def test_wrong_files(run, tmp_path, flows_2017):
    file = tmp_path / "a.csv"
    refused(run, "ids2018", tmp_path / "no.csv", match="no such file")
    refused(run, "ids2018", write(file, ""), match="the file is empty")
    refused(run, "ids2018", write(file, "\n\n"), match="the file is empty")
    good = flows_2018().text()
    header = good.split("\n")[0]
    refused(run, "ids2018", write(file, header + "\n"), match="no row of data")
    semicolons = good.replace(",", ";")
    refused(run, "ids2018", write(file, semicolons), match="separated by a semicolon")
    renamed = good.replace("Flow IAT Mean", "IAT")
    refused(run, "ids2018", write(file, renamed), match="no column 'Flow IAT Mean'")
    other = write(tmp_path / "b.csv", flows_2017.text(), "cp1252")
    refused(run, "ids2018", other, match=r"no column 'Flow Byts/s'.*CSE-CIC-IDS2018")
    write(file, good)
    refused(run, "ids2018", file, file, match="given twice")
    fewer = write(tmp_path / "c.csv", good.replace("Idle Min", "Idle Minimum"))
    refused(run, "ids2018", file, fewer, match="do not belong together.*'Idle Min")
    refused(run, "kdd10", file, match="the first row has 80 cells, files of KDD")
    zipped = tmp_path / "d.csv"
    zipped.write_bytes(b"PK\x03\x04....")
    refused(run, "ids2018", zipped, match="unpack archives")
    broken = gz(tmp_path / "e.csv.gz", good)
    broken.write_bytes(broken.read_bytes()[:-2000])
    refused(run, "ids2018", broken, match="gzip stream is broken|cut off")
    ragged = write(tmp_path / "f.csv", good + "1,2,3\n")
    refused(run, "ids2018", ragged, match="line 42 has 3 cells")
    (tmp_path / "none").mkdir()
    refused(run, "ids2018", tmp_path / "none", match=r"no \.csv or \.csv\.gz file")


def test_contents_that_cannot_be(run, tmp_path):
    file = tmp_path / "a.csv"
    blank = Flows(IDS2018, [""] * 5).text()
    refused(run, "ids2018", write(file, blank), match="no row .* has a value in column")
    many = Flows(IDS2018, [f"label {n}" for n in range(1001)]).text()
    refused(run, "ids2018", write(file, many), match="more than 1000 different values")
    one = Flows(IDS2018, ["Bot"]).text()
    refused(run, "ids2018", write(file, one), match="no column is left")
    flows = flows_2018(20)
    # One bad cell in each row, and one in each of twenty columns that count.
    for row, name in enumerate([*flows.names[4:16], *flows.names[18:26]]):
        flows.put(row, name, "Infinity")
    refused(run, "ids2018", write(file, flows.text()), match=r"no row is left: 20 rows")


def test_a_group_may_lose_its_only_column(run, tmp_path):
    flows = flows_2018()
    for row in range(40):
        flows.put(row, "Flow IAT Max", "3")
    flows.put(0, "Flow IAT Max", "4")
    flows.put(0, "Idle Max", "NaN")
    file = write(tmp_path / "a.csv", flows.text())
    refused(run, "ids2018", file, columns="group4A", match="no column is left")


def test_options_that_do_not_fit(run, tmp_path, kdd_file):
    refused(run, "kdd10", kdd_file, columns="group1", match="it has none")
    file = write(tmp_path / "a.csv", flows_2018().text())
    refused(run, "ids2018", file, columns="group9", match="group5A")


def test_an_option_for_connections_does_not_fit_other_tables(run, real_data):
    refused(run, "thyroid", "odds_thyroid", anomaly="normal", match="leave it out")


@pytest.mark.parametrize("output", [None, "table.csv", "no/folder/table.parquet"])
def test_outputs_that_cannot_be_written(kdd_file, tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((DataError, ParameterError), match=r"^-o |no folder"):
        publish.prepare("kdd10", [str(kdd_file)], output, Options(), lambda *_: None)


@pytest.mark.parametrize("error", [OSError(28, "full"), KeyboardInterrupt()])
def test_a_failure_leaves_nothing_behind(run, kdd_file, tmp_path, monkeypatch, error):
    before = run("kdd10", kdd_file)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(stream.pq.ParquetWriter, "write_batch", fail)
    with pytest.raises((DataError, KeyboardInterrupt)):
        run("kdd10", kdd_file, anomaly="attack")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert before.card["rows"] == len(KDD)
