"""Networks with the defaults of before load, and score as they did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import whitecrow as wc

OLD = Path(__file__).parent
EXPECTED: dict[str, Any] = json.loads((OLD / "defaults.json").read_text())


@pytest.mark.parametrize("name", EXPECTED["scores"])
def test_an_old_network_scores_as_it_did(name: str) -> None:
    scores = wc.load(OLD / f"{name}.crow").anomaly_score(np.array(EXPECTED["rows"]))
    np.testing.assert_allclose(scores, EXPECTED["scores"][name], rtol=1e-5)
