"""Model files: equal scores after a round trip, and nothing but one error otherwise."""

import contextlib
import errno
import hashlib
import io
import json
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn import ensemble, svm

import whitecrow as wc
from whitecrow import saving
from whitecrow.errors import ModelFileError
from whitecrow.saving import archive

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(60, 4))
PICTURES = RNG.integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
Y = np.r_[np.ones(5), np.zeros(5), np.full(50, np.nan)]

TINY = {"epochs": 2, "hidden": (3, 2), "device": "cpu", "random_state": 0}
DETECTORS = {
    "autoencoder": wc.AutoEncoder(**TINY),
    "autoencoder, members": wc.AutoEncoder(n_members=3, batch_norm=True, **TINY),
    "deep svdd": wc.DeepSVDD("soft-boundary", pretrain_epochs=1, **TINY),
    "deep sad": wc.DeepSAD(pretrain_epochs=1, milestones=[1], **TINY),
    "deep sad, members": wc.DeepSAD(pretrain=False, n_members=2, **TINY),
    "hsc": wc.HSC(contamination=0.2, **TINY),
    "mhrot": wc.MHRot(
        "simple",
        shift=2,
        depth=10,
        widen_factor=1,
        epochs=1,
        device="cpu",
        random_state=0,
    ),
    "neutral ad": wc.NeuTraLAD(**TINY),
    "loe": wc.LOE(wc.NeuTraLAD(**TINY)),
    "loe, default": wc.LOE(random_state=0),
    "loe, members": wc.LOE(wc.DeepSVDD(pretrain=False, n_members=2, **TINY)),
    "consensus": wc.Consensus(
        [wc.KDE(), wc.wrap(svm.OneClassSVM())],
        scout=wc.IsolationForest(n_estimators=5),  # a manifest names all trees
        random_state=0,
    ),
    "consensus, default": wc.Consensus(random_state=0),
    "isolation forest": wc.IsolationForest(n_estimators=5, random_state=0),
    "kde": wc.KDE(),
    "lof": wc.LOF(),
    "ocsvm": wc.OCSVM(random_state=0),
    "padim": wc.PaDiM(),
    "wrapped": wc.wrap(ensemble.IsolationForest(n_estimators=5, random_state=0)),
}


def with_few_epochs(detector):
    legal = detector.get_params()
    return detector.set_params(
        **{k: v for k, v in TINY.items() if k in legal and k != "hidden"}
    )


# Methods that need no settings of their own here.
DETECTORS |= {
    record.name: with_few_epochs(record.cls())
    for record in wc.methods()
    if record.cls not in {type(one) for one in DETECTORS.values()}
}
TAKE_TABLES = [name for name, one in DETECTORS.items() if "table" in one.input_kinds]
TAKE_PICTURES = [
    name
    for name, detector in DETECTORS.items()
    if "picture" in detector.input_kinds and name not in {"loe", "loe, default"}
]


# -------------------------------------------------------------------------- round trip


def check_round_trip(detector, X, path):
    before = detector.anomaly_score(X)
    detector.save(path)
    loaded = wc.load(path)
    assert type(loaded) is type(detector)
    assert_array_equal(loaded.anomaly_score(X), before)
    assert_array_equal(loaded.predict(X), detector.predict(X))
    assert_array_equal(loaded.explain(X[:3]), detector.explain(X[:3]))
    assert loaded.threshold_source_ == detector.threshold_source_
    fitted = {key for key in vars(detector) if key.endswith("_")}
    assert fitted == {key for key in vars(loaded) if key.endswith("_")}
    # By what is shown of them, as estimators are equal to themselves only.
    before, after = (one.get_params(deep=True) for one in (detector, loaded))
    assert repr(after) == repr(before)
    return loaded


@pytest.mark.parametrize("name", TAKE_TABLES)
def test_scores_of_tables_are_equal_to_the_bit(name, tmp_path):
    detector = DETECTORS[name].fit(TABLE, Y)
    check_round_trip(detector, TABLE, tmp_path / "m.crow")


@pytest.mark.parametrize("name", TAKE_PICTURES)
def test_scores_of_pictures_are_equal_to_the_bit(name, tmp_path):
    detector = DETECTORS[name].fit(PICTURES)
    check_round_trip(detector, PICTURES, tmp_path / "m.crow")


def test_names_of_columns_are_kept(tmp_path):
    frame = pd.DataFrame(TABLE, columns=["a", "b", "größe", "日"])
    loaded = check_round_trip(DETECTORS["kde"].fit(frame), frame, tmp_path / "m.crow")
    assert list(loaded.feature_names_in_) == ["a", "b", "größe", "日"]
    with pytest.raises(wc.errors.DataError, match="feature names should match"):
        loaded.anomaly_score(frame[["b", "a", "größe", "日"]])


def test_a_loaded_detector_can_be_fitted_and_saved_again(tmp_path):
    path = tmp_path / "m.crow"
    DETECTORS["deep sad"].fit(TABLE, Y).save(path)
    first = path.read_bytes()
    wc.load(path).save(path)
    assert path.read_bytes() == first
    again = wc.load(path).fit(TABLE, Y)
    assert_array_equal(again.anomaly_score(TABLE), wc.load(path).anomaly_score(TABLE))


def test_equal_detectors_give_equal_files(tmp_path):
    for name in ("a", "b"):
        wc.AutoEncoder(**TINY).fit(TABLE).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_bundles_carry_the_encoder_and_remarks(tmp_path):
    encoder = {"columns": ["a"], "nested": {"x": [1, 2.5, None]}}
    detector = DETECTORS["kde"].fit(TABLE)
    saving.save(tmp_path / "m", detector, encoder=encoder, info={"seed": 3})
    bundle = saving.load_bundle(tmp_path / "m")
    assert bundle.encoder == encoder
    assert bundle.info == {"seed": 3}


@pytest.mark.parametrize("kind", [np.random.RandomState, np.random.default_rng])
def test_generators_are_not_kept(kind, tmp_path):
    settings_ = {**TINY, "random_state": kind(0)}
    detectors = wc.AutoEncoder(**settings_), wc.LOE(wc.NeuTraLAD(**settings_))
    for detector in detectors:
        detector.fit(TABLE).save(tmp_path / "m")
        assert wc.load(tmp_path / "m").get_params().get("random_state") is None


def test_trained_scores_are_not_those_of_first_weights(tmp_path):
    detector = wc.AutoEncoder(**{**TINY, "epochs": 30, "lr": 0.01}).fit(TABLE)
    detector.save(tmp_path / "m")
    fresh = wc.AutoEncoder(**{**TINY, "epochs": 0}).fit(TABLE)
    loaded = wc.load(tmp_path / "m").anomaly_score(TABLE)
    assert not np.allclose(loaded, fresh.anomaly_score(TABLE))


# ----------------------------------------------------------------- what is not written


def test_what_is_not_fitted_is_not_saved(tmp_path):
    with pytest.raises(ModelFileError, match="not fitted; call fit"):
        wc.KDE().save(tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_code_is_not_saved(tmp_path):
    def mine(shape):
        return torch.nn.Linear(shape[0], 2)

    detector = wc.DeepSVDD(network=mine, pretrain=False, epochs=1).fit(TABLE)
    with pytest.raises(ModelFileError, match=r"network=.*is code"):
        detector.save(tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_classes_beyond_the_registry_are_not_saved(tmp_path):
    class Mine(wc.KDE):
        pass

    with pytest.raises(ModelFileError, match="'Mine' is not in the registry"):
        Mine().fit(TABLE).save(tmp_path / "m")


@pytest.mark.parametrize("other", [3, {}, svm.OneClassSVM(), np.zeros(2)])
def test_lists_of_detectors_and_others_are_not_saved(other, tmp_path):
    detector = wc.KDE().fit(TABLE)
    detector.members_ = [wc.KDE().fit(TABLE), other]
    with pytest.raises(ModelFileError, match=r"members_ is a \w+, which a model file"):
        detector.save(tmp_path / "m")
    detector.members_ = (wc.KDE().fit(TABLE), wc.KDE())
    with pytest.raises(ModelFileError, match="not fitted; call fit"):
        detector.save(tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    detector, path = DETECTORS["kde"].fit(TABLE), tmp_path / "m.crow"
    detector.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(zipfile.ZipFile, "writestr", fail_after(2))
    with pytest.raises(ModelFileError, match=r"cannot write .*m.crow: No space"):
        detector.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.crow"]  # noqa: PTH208


def fail_after(calls):
    """`writestr` of a disk that is full after some entries."""
    plain, left = zipfile.ZipFile.writestr, [calls]

    def writestr(self, *args, **kwargs):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return plain(self, *args, **kwargs)

    return writestr


def test_an_interruption_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    detector, path = DETECTORS["kde"].fit(TABLE), tmp_path / "m.crow"
    detector.save(path)

    def interrupt(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        detector.save(path)
    assert os.listdir(tmp_path) == ["m.crow"]  # noqa: PTH208


@pytest.mark.parametrize("place", ["missing/m.crow", "file/m.crow", "."])
def test_places_that_cannot_be_written(place, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelFileError, match="cannot write"):
        DETECTORS["kde"].fit(TABLE).save(tmp_path / place)
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208


# ------------------------------------------------------------------------- alterations


@pytest.fixture(scope="module")
def scores():
    return small().anomaly_score(TABLE)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The bytes of a small model file."""
    path = tmp_path_factory.mktemp("model") / "m.crow"
    saving.save(path, small(), encoder={"columns": ["a"]}, info={"seed": 0})
    return path.read_bytes()


def small():
    detector = wc.AutoEncoder(hidden=(2,), epochs=1, device="cpu", random_state=0)
    return detector.fit(TABLE)


def entries_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def archive_of(entries, **options):
    """Bytes of an archive; `entries` as a dict or, with repeated names, as pairs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as file:
        for name, content in dict(entries).items():
            file.writestr(name, content)
    return buffer.getvalue()


def forged(model, **changes):
    """An archive whose manifest has changed, with the hash that fits it."""
    entries = entries_of(model)
    manifest = json.loads(entries["manifest.json"])
    manifest.update(changes)
    return consistent(entries, manifest)


def consistent(entries, manifest):
    text = json.dumps(manifest).encode()
    check = hashlib.sha256(text).hexdigest().encode()
    return archive_of({**entries, "manifest.json": text, "manifest.sha256": check})


class Judge:
    """Loads bytes: refused in one line, or loaded to the scores that were saved."""

    def __init__(self, path, expected):
        self.path, self.expected = path, expected

    def __call__(self, data):
        self.path.write_bytes(data)
        try:
            detector = wc.load(self.path)
        except ModelFileError as error:
            message = str(error)
        else:
            assert_array_equal(detector.anomaly_score(TABLE), self.expected)
            return "equal"
        assert "\n" not in message
        assert str(self.path) in message
        return "refused"


@pytest.fixture
def judge(tmp_path, scores):
    return Judge(tmp_path / "altered.crow", scores)


def flipped(data, position, mask):
    return data[:position] + bytes([data[position] ^ mask]) + data[position + 1 :]


def test_the_file_itself_loads(judge, model):
    assert judge(model) == "equal"
    assert judge(archive_of(entries_of(model))) == "equal"
    assert judge(forged(model)) == "equal"


def test_every_byte_of_the_file(judge, model):
    """Any single byte, so also those of headers and names; the bits take turns."""
    masks = (0x01, 0x80, 0xFF, 0x20)
    verdicts = [
        judge(flipped(model, position, masks[position % len(masks)]))
        for position in range(len(model))
    ]
    # All but dates, attributes and the like.
    assert verdicts.count("refused") > 0.9 * len(model)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256"])
def test_every_byte_of_an_entry_with_a_checksum_that_fits(judge, model, name):
    entries = entries_of(model)
    for position in range(len(entries[name])):
        content = flipped(entries[name], position, 0x01 if position % 2 else 0xFF)
        assert judge(archive_of({**entries, name: content})) == "refused"


def test_bytes_of_the_weights_with_a_checksum_that_fits(judge, model):
    entries = entries_of(model)
    weights = entries[archive.WEIGHTS]
    header = 8 + struct.unpack("<Q", weights[:8])[0]
    for position in [*range(header), *range(header, len(weights), 7)]:
        content = flipped(weights, position, 0x01)
        assert judge(archive_of({**entries, archive.WEIGHTS: content})) == "refused"


@pytest.mark.slow
@pytest.mark.parametrize("mask", [1 << bit for bit in range(8)])
def test_every_bit_of_the_file(judge, model, mask):
    for position in range(len(model)):
        judge(flipped(model, position, mask))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["isolation forest", "loe", "consensus"])
def test_every_byte_of_the_manifest_of_others(name, tmp_path):
    detector = DETECTORS[name].fit(TABLE)
    detector.save(tmp_path / "m")
    judge = Judge(tmp_path / "altered", detector.anomaly_score(TABLE))
    data = (tmp_path / "m").read_bytes()
    entries = entries_of(data)
    for position in range(0, len(entries["manifest.json"])):
        content = flipped(entries["manifest.json"], position, 0x01)
        assert judge(archive_of({**entries, "manifest.json": content})) == "refused"
    for position in range(0, len(data), max(1, len(data) // 3000)):
        judge(flipped(data, position, 0xFF))


def test_truncated_files(judge, model):
    for length in [*range(0, len(model), 23), *range(len(model) - 60, len(model))]:
        assert judge(model[:length]) == "refused"


def test_bytes_before_and_after(judge, model):
    assert judge(b"") == "refused"
    judge(b"prefix" + model)
    judge(model + b"suffix")
    assert judge(model[100:]) == "refused"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 3}, "format 3 is newer .* upgrade whitecrow"),
        ({"format": None}, "not a whole model file"),
        ({"parts": {}}, "entries are not those"),
        ({"detector": None}, "not a whole model file"),
        ({"detector": {}}, "not a whole model file"),
        ({"detector": {"class": "os.system"}}, "'os.system' is not in the registry"),
        ({"detector": {"class": ["KDE"]}}, "not"),
    ],
)
def test_manifests_that_cannot_be(judge, model, changes, message):
    judge.path.write_bytes(forged(model, **changes))
    with pytest.raises(ModelFileError, match=message):
        wc.load(judge.path)
    assert judge(forged(model, **changes)) == "refused"


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("parameters", "lr"), {"value": "x" * 9}),
        (("parameters", "nonsense"), {"value": 1}),
        (("parameters", "hidden"), {"value": 3}),
        (("parameters", "hidden"), {"tuple": [{"value": 4}]}),
        (("parameters", "hidden"), {"skops": "manifest.json"}),
        (("fitted", "scaler_"), {"value": None}),
        (("fitted", "typical_"), {"array": [9, 9]}),
        (("fitted", "input_shape_"), {"tuple": [{"value": 4}, {"value": 4}]}),
        (("fitted", "net_"), {"detector": {"class": "KDE"}}),
        (("fitted", "__class__"), {"value": 3}),
        (("fitted", "x"), {"unknown": 3}),
    ],
)
def test_consistent_lies_run_no_code(judge, model, where, value):
    """Whoever forges hashes too gets an error or a detector, and nothing else."""
    entries = entries_of(model)
    manifest = json.loads(entries["manifest.json"])
    manifest["detector"][where[0]][where[1]] = value
    judge.path.write_bytes(consistent(entries, manifest))
    try:
        detector = wc.load(judge.path)
    except ModelFileError:
        return
    assert type(detector) is wc.AutoEncoder


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("parameters", "detectors"), {"settings": {"class": "os.system"}}),
        (("parameters", "detectors"), {"skops": "manifest.json"}),
        (("parameters", "detectors"), {"value": "os.system"}),
        (("fitted", "detectors_"), {"detector": {"class": "os.system"}}),
        (("fitted", "detectors_"), {"detector": {"class": "KDE"}}),
        (("fitted", "detectors_"), {"skops": "manifest.json"}),
        (("fitted", "detectors_"), {"net": True}),
        (("fitted", "detectors_"), {"array": [9, 9]}),
        (("fitted", "detectors_"), {"list": [{"list": [3]}]}),
        (("fitted", "detectors_"), 3),
    ],
)
def test_consistent_lies_in_lists_run_no_code(judge, where, value):
    wc.Consensus([wc.KDE()], scout=wc.KDE()).fit(TABLE).save(judge.path)
    entries = entries_of(judge.path.read_bytes())
    manifest = json.loads(entries["manifest.json"])
    items = manifest["detector"][where[0]][where[1]]["list"]
    assert len(items) == 1
    items[0] = value
    judge.path.write_bytes(consistent(entries, manifest))
    if value == {"value": "os.system"}:
        assert wc.load(judge.path).detectors == ["os.system"]  # the words alone
    else:
        with pytest.raises(ModelFileError):
            wc.load(judge.path)


def test_deep_nesting_is_refused(judge, model):
    entries = entries_of(model)
    text = b"[" * 100_000
    check = hashlib.sha256(text).hexdigest().encode()
    entries |= {"manifest.json": text, "manifest.sha256": check}
    assert judge(archive_of(entries)) == "refused"


def test_altered_weights(judge, model):
    entries = entries_of(model)
    entries[archive.WEIGHTS] = entries[archive.WEIGHTS][:-1] + b"x"
    judge.path.write_bytes(archive_of(entries))
    with pytest.raises(ModelFileError, match="sha256 differs"):
        wc.load(judge.path)


@pytest.mark.parametrize(
    "name",
    ["../evil.skops", "parts/../../evil.skops", "/evil.skops", "parts/a/b.skops"],
)
def test_entries_that_leave_the_archive(judge, model, name):
    entries = entries_of(model)
    manifest = json.loads(entries["manifest.json"])
    content = b"evil"
    facts = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest["parts"][name] = facts
    before = sorted(judge.path.parent.rglob("*"))
    judge.path.write_bytes(consistent({**entries, name: content}, manifest))
    with pytest.raises(ModelFileError, match="not a name that save writes"):
        wc.load(judge.path)
    assert [p for p in judge.path.parent.rglob("*") if p not in before] == [judge.path]


@pytest.mark.parametrize("name", ["manifest.json", archive.WEIGHTS])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_entries_that_are_there_twice(judge, model, name):
    entries, buffer = entries_of(model), io.BytesIO(model)
    with zipfile.ZipFile(buffer, "a") as file:
        file.writestr(name, entries[name])
    judge.path.write_bytes(buffer.getvalue())
    with pytest.raises(ModelFileError, match="twice"):
        wc.load(judge.path)


def test_entries_too_many_or_too_few(judge, model):
    entries = entries_of(model)
    assert judge(archive_of({**entries, "parts/more.skops": b""})) == "refused"
    for name in entries:
        fewer = {key: value for key, value in entries.items() if key != name}
        assert judge(archive_of(fewer)) == "refused"


def test_sizes_beyond_the_manifest(judge, model):
    """A megabyte of zeros in a kilobyte of file is never unpacked."""
    entries = entries_of(model)
    bomb = {**entries, archive.WEIGHTS: bytes(2**20)}
    judge.path.write_bytes(archive_of(bomb, compression=zipfile.ZIP_DEFLATED))
    with pytest.raises(ModelFileError, match="compressed"):
        wc.load(judge.path)
    judge.path.write_bytes(archive_of(bomb))
    with pytest.raises(ModelFileError, match="another size than its manifest says"):
        wc.load(judge.path)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256"])
def test_sizes_beyond_reason(judge, model, name, monkeypatch):
    monkeypatch.setattr("whitecrow.saving.archive._LARGEST_MANIFEST", 2**16)
    bomb = {**entries_of(model), name: b" " * 2**17}
    judge.path.write_bytes(archive_of(bomb))
    with pytest.raises(ModelFileError, match="larger than any"):
        wc.load(judge.path)


@pytest.mark.parametrize("name", [None, "folder", "text"])
def test_what_is_no_model_file(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("a,b\n1,2\n")
    path = tmp_path / (name or "nothing.crow")
    message = "not a whole model file" if name == "text" else "there is no model file"
    with pytest.raises(ModelFileError, match=message):
        wc.load(path)


def test_archives_of_others(judge):
    judge.path.write_bytes(archive_of({"readme.txt": "x"}))
    with pytest.raises(ModelFileError, match=r"no manifest.json, so it is not"):
        wc.load(judge.path)


fuzz = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)


@fuzz
@given(data=st.binary(max_size=400))
def test_any_bytes(judge, data):
    assert judge(data) == "refused"


@fuzz
@given(data=st.data())
def test_any_damage(judge, model, data):
    """A stretch anywhere in the file replaced by other bytes."""
    start = data.draw(st.integers(0, len(model)))
    end = data.draw(st.integers(start, min(start + 64, len(model))))
    judge(model[:start] + data.draw(st.binary(max_size=64)) + model[end:])


json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["class", "parameters", "fitted", "value", "array", "net"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@fuzz
@given(value=json_value, key=st.sampled_from(["detector", "format", "parts", "info"]))
def test_any_manifest(judge, model, value, key):
    judge.path.write_bytes(forged(model, **{key: value}))
    with contextlib.suppress(ModelFileError):
        wc.load(judge.path)
