"""Every preset of every method: it is legal, and it trains."""

import numpy as np
import pytest

import whitecrow as wc

FEW = {"epochs": 1, "pretrain_epochs": 1, "max_rounds": 1, "max_rows": 60}
CASES = [
    pytest.param(record, name, id=f"{record.name}-{name}")
    for record in wc.methods()
    if "table" in record.input_kinds
    for name in record.cls.presets
]
X = np.random.default_rng(0).normal(size=(60, 14))
Y = np.where(np.arange(60) < 8, np.arange(60) % 2, np.nan)


@pytest.mark.parametrize(("record", "name"), CASES)
def test_a_preset_trains(record, name):
    preset = record.cls.preset(name)
    legal = preset.get_params(deep=False)
    preset.set_params(**{k: v for k, v in FEW.items() if k in legal})
    y = Y if preset.uses_labels else None
    assert np.isfinite(preset.fit(X, y).anomaly_score(X)).all()


def test_nrcan_has_the_networks_of_its_table():
    """specs/deep_unsupervised.md 7."""

    def widths(cls, name):
        return cls.preset(name).hidden

    assert widths(wc.AutoEncoder, "nrcan-2022") == (60, 30, 10, 1)
    assert widths(wc.AutoEncoder, "nrcan-2022-arrhythmia") == (10, 2)
    assert widths(wc.DeepSVDD, "nrcan-2022-thyroid") == (32, 64, 128)
    assert widths(wc.NeuTraLAD, "nrcan-2022-ids") == (32, 32, 32, 32, 16)
    assert wc.MemAE.preset("nrcan-2022").mem_dim == 150
    assert wc.ALAD.preset("nrcan-2022").weight_decay == 1e-6


def test_the_learning_rate_of_neutral_ad_falls_by_its_factor(monkeypatch):
    from whitecrow.deep import train

    schedules, plain = [], train.train

    def spy(parameters, step, batches, schedule, **names):
        schedules.append(schedule)
        return plain(parameters, step, batches, schedule, **names)

    monkeypatch.setattr(train, "train", spy)
    wc.NeuTraLAD(epochs=3, milestones=(1, 2), lr=0.1, lr_factor=0.5).fit(X)
    assert [schedules[0].lr_at(e) for e in range(3)] == [0.1, 0.05, 0.025]
