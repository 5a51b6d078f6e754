"""whitecrow finds anomalies with whatever supervision there is.

Importing the package is cheap: names below load what they need when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> module that defines it.
_HOMES = {
    "ALAD": "whitecrow.detectors.alad",
    "AutoEncoder": "whitecrow.detectors.autoencoder",
    "DAGMM": "whitecrow.detectors.dagmm",
    "Consensus": "whitecrow.detectors.consensus",
    "DROCC": "whitecrow.detectors.drocc",
    "DSEBM": "whitecrow.detectors.dsebm",
    "DUAD": "whitecrow.detectors.duad",
    "DeepSAD": "whitecrow.detectors.deep_sad",
    "DeepSVDD": "whitecrow.detectors.deep_svdd",
    "ECOD": "whitecrow.detectors.ecod",
    "GMM": "whitecrow.detectors.gmm",
    "GOAD": "whitecrow.detectors.goad",
    "HBOS": "whitecrow.detectors.hbos",
    "HSC": "whitecrow.detectors.hsc",
    "IsolationForest": "whitecrow.detectors.isolation_forest",
    "KDE": "whitecrow.detectors.kde",
    "KNN": "whitecrow.detectors.knn",
    "LOE": "whitecrow.detectors.loe",
    "LOF": "whitecrow.detectors.lof",
    "MHRot": "whitecrow.detectors.mhrot",
    "MemAE": "whitecrow.detectors.mem_ae",
    "NeuTraLAD": "whitecrow.detectors.neutral_ad",
    "OCSVM": "whitecrow.detectors.ocsvm",
    "PCA": "whitecrow.detectors.pca",
    "PaDiM": "whitecrow.detectors.padim",
    "RecForest": "whitecrow.detectors.rec_forest",
    "RobustAutoEncoder": "whitecrow.detectors.robust_autoencoder",
    "SOEL": "whitecrow.detectors.soel",
    "SOMDAGMM": "whitecrow.detectors.som_dagmm",
    "Result": "whitecrow.result",
    "TableEncoder": "whitecrow.data.kinds.table",
    "detect": "whitecrow.result",
    "load": "whitecrow.persist",
    "methods": "whitecrow.detectors._table",
    "wrap": "whitecrow.detectors.wrapped",
}
_MODULES = ("active", "data", "errors", "labels", "metrics", "supervision")

__all__ = [
    "ALAD",
    "DAGMM",
    "DROCC",
    "DSEBM",
    "DUAD",
    "ECOD",
    "GMM",
    "GOAD",
    "HBOS",
    "HSC",
    "KDE",
    "KNN",
    "LOE",
    "LOF",
    "OCSVM",
    "PCA",
    "SOEL",
    "SOMDAGMM",
    "AutoEncoder",
    "Consensus",
    "DeepSAD",
    "DeepSVDD",
    "IsolationForest",
    "MHRot",
    "MemAE",
    "NeuTraLAD",
    "PaDiM",
    "RecForest",
    "Result",
    "RobustAutoEncoder",
    "TableEncoder",
    "__version__",
    "active",
    "data",
    "detect",
    "errors",
    "labels",
    "load",
    "methods",
    "metrics",
    "supervision",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"whitecrow.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'whitecrow' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
