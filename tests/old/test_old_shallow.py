"""Methods without networks score as they did when a file of them was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import whitecrow as wc

OLD = Path(__file__).parent
EXPECTED: dict[str, Any] = json.loads((OLD / "shallow.json").read_text())


@pytest.mark.parametrize("name", EXPECTED["scores"])
def test_an_old_file_scores_as_it_did(name: str) -> None:
    rows = np.array(EXPECTED["rows"])
    if name == "forest":  # fitted 1e9 away from 0, where float32 leaves few values
        rows = 1e9 + 50 * rows
    scores = wc.load(OLD / f"{name}.crow").anomaly_score(rows)
    np.testing.assert_allclose(scores, EXPECTED["scores"][name], rtol=1e-12)
