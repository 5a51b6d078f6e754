"""The others: PyOD, DeepOD, scikit-learn, and the plain references.

Each function takes the settings of a benchmark and returns something with `fit(X, y)`
and `score(X)`, higher = more anomalous. What cannot be made equal is said beside it.
Labels are 1 (anomaly), 0 (normal) and NaN (unlabelled).
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from sklearn import ensemble, linear_model, neighbors, svm
from sklearn.preprocessing import StandardScaler


class Contender(Protocol):
    """What a benchmark runs."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> object: ...
    def score(self, X: np.ndarray) -> np.ndarray: ...


class Adapter:
    """A model of another package as a contender; rows are standardised if asked."""

    def __init__(
        self,
        model: Any,
        score: Callable[[Any, np.ndarray], np.ndarray],
        *,
        standardise: bool = False,
        labels: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.model, self._score, self._labels = model, score, labels
        self.scaler = StandardScaler() if standardise else None

    def fit(self, X: np.ndarray, y: np.ndarray) -> None:
        rows = X.reshape(len(X), -1)
        if self.scaler is not None:
            rows = self.scaler.fit_transform(rows)
        if self._labels is None:
            self.model.fit(rows)
        else:
            self.model.fit(rows, self._labels(y))

    def score(self, X: np.ndarray) -> np.ndarray:
        rows = X.reshape(len(X), -1)
        if self.scaler is not None:
            rows = self.scaler.transform(rows)
        return self._score(self.model, rows)


def _decision(model: Any, X: np.ndarray) -> np.ndarray:
    return model.decision_function(X)


def _against_rest(y: np.ndarray) -> np.ndarray:
    """Labelled anomalies against everything else, unlabelled rows included."""
    return np.where(y == 1, 1, 0)


# ----------------------------------------------------------------------------- PyOD


def pyod_autoencoder(s: dict[str, Any]) -> Contender:
    """The loss is the mean over columns, ours the sum; Adam hardly sees the factor."""
    from pyod.models.auto_encoder import AutoEncoder

    model = AutoEncoder(
        hidden_neuron_list=list(s["hidden"]),
        batch_norm=s["batch_norm"],
        dropout_rate=s["dropout"],
        epoch_num=s["epochs"],
        batch_size=s["batch_size"],
        lr=s["lr"],
        optimizer_params={"weight_decay": s["weight_decay"]},
        random_state=s["seed"],
        device="cpu",
        verbose=0,
    )
    return Adapter(model, _decision)


def pyod_deep_svdd(s: dict[str, Any]) -> Contender:
    """Adds the norm of the weights to each loss and keeps the epoch of least loss."""
    from pyod.models.deep_svdd import DeepSVDD

    class Sized(Adapter):
        """PyOD wants the number of columns before it sees the data."""

        def fit(self, X: np.ndarray, y: np.ndarray) -> None:
            self.model = DeepSVDD(
                n_features=X.shape[1],
                hidden_neurons=list(s["hidden"]),
                epochs=s["epochs"],
                batch_size=s["batch_size"],
                learning_rate=s["lr"],
                l2_regularizer=s["weight_decay"],
                random_state=s["seed"],
                verbose=0,
            )
            super().fit(X, y)

    return Sized(None, _decision)


# --------------------------------------------------------------------------- DeepOD


def deepod_deep_svdd(s: dict[str, Any]) -> Contender:
    """Its weight decay is fixed at 1e-5: the settings take that for everybody."""
    from deepod.models.tabular import DeepSVDD

    return Adapter(DeepSVDD(**_deepod(s)), _decision, standardise=True)


def deepod_deep_sad(s: dict[str, Any]) -> Contender:
    """Draws batches with half of the rows labelled anomalies; the steps are as many."""
    from deepod.models.tabular import DeepSAD

    return Adapter(
        DeepSAD(**_deepod(s)), _decision, standardise=True, labels=_against_rest
    )


def deepod_neutral_ad(s: dict[str, Any]) -> Contender:
    """ReLU instead of its leaky ReLU, as in the paper and in ours."""
    from deepod.models.tabular import NeuTraL

    model = NeuTraL(
        n_trans=s["n_transforms"],
        temp=s["temperature"],
        trans_type="residual",
        trans_hidden_dims=s["trans_hidden"],
        **_deepod(s),
    )
    return Adapter(model, _decision, standardise=True)


def _deepod(s: dict[str, Any]) -> dict[str, Any]:
    return {
        "hidden_dims": list(s["hidden"][:-1]),
        "rep_dim": s["hidden"][-1],
        "act": "ReLU",
        "bias": s["bias"],
        "epochs": s["epochs"],
        "batch_size": s["batch_size"],
        "lr": s["lr"],
        "device": "cpu",
        "verbose": 0,
        "random_state": s["seed"],
    }


# --------------------------------------------------------------------- scikit-learn


def _negative(model: Any, X: np.ndarray) -> np.ndarray:
    return -model.score_samples(X)


def isolation_forest(s: dict[str, Any]) -> Contender:
    return Adapter(ensemble.IsolationForest(random_state=s["seed"]), _negative)


def lof(s: dict[str, Any]) -> Contender:
    model = neighbors.LocalOutlierFactor(n_neighbors=s["n_neighbors"], novelty=True)
    return Adapter(model, _negative, standardise=True)


def ocsvm(s: dict[str, Any]) -> Contender:
    return Adapter(svm.OneClassSVM(nu=s["nu"]), _negative, standardise=True)


def kde(s: dict[str, Any]) -> Contender:
    model = neighbors.KernelDensity(bandwidth=s["bandwidth"])
    return Adapter(model, _negative, standardise=True)


# -------------------------------------------------------------- the plain references


def knn(s: dict[str, Any]) -> Contender:
    """Mean distance to the nearest training rows."""

    def distance(model: Any, X: np.ndarray) -> np.ndarray:
        return model.kneighbors(X)[0].mean(axis=1)

    k = s.get("n_neighbors", 5)
    return Adapter(
        neighbors.NearestNeighbors(n_neighbors=k), distance, standardise=True
    )


def logistic_regression(s: dict[str, Any]) -> Contender:
    """Labelled anomalies against the rest, classes weighted equally."""
    model = linear_model.LogisticRegression(class_weight="balanced", max_iter=1000)
    return Adapter(model, _decision, standardise=True, labels=_against_rest)


def gradient_boosting(s: dict[str, Any]) -> Contender:
    """Labelled anomalies against the rest, classes weighted equally."""
    model = ensemble.HistGradientBoostingClassifier(
        class_weight="balanced", random_state=s["seed"]
    )
    return Adapter(model, _decision, labels=_against_rest)


class Peer(NamedTuple):
    """A contender's factory, and the package whose version a table names."""

    build: Callable[[dict[str, Any]], Contender]
    package: str

    @property
    def version(self) -> str:
        return importlib.metadata.version(self.package)


PEERS = {
    ("autoencoder", "pyod"): Peer(pyod_autoencoder, "pyod"),
    ("deep_svdd", "pyod"): Peer(pyod_deep_svdd, "pyod"),
    ("deep_svdd", "deepod"): Peer(deepod_deep_svdd, "deepod"),
    ("deep_sad", "deepod"): Peer(deepod_deep_sad, "deepod"),
    ("neutral_ad", "deepod"): Peer(deepod_neutral_ad, "deepod"),
    ("isolation_forest", "sklearn"): Peer(isolation_forest, "scikit-learn"),
    ("lof", "sklearn"): Peer(lof, "scikit-learn"),
    ("ocsvm", "sklearn"): Peer(ocsvm, "scikit-learn"),
    ("kde", "sklearn"): Peer(kde, "scikit-learn"),
    ("knn", "sklearn"): Peer(knn, "scikit-learn"),
    ("logistic_regression", "sklearn"): Peer(logistic_regression, "scikit-learn"),
    ("gradient_boosting", "sklearn"): Peer(gradient_boosting, "scikit-learn"),
}

# What runs beside every method; the second pair only where training sees labels.
PLAIN = ("isolation_forest", "knn")
LABELLED = ("logistic_regression", "gradient_boosting")

_DEEPOD_DEFAULTS = {
    "hidden": [100, 50, 128],
    "bias": False,
    "epochs": 100,
    "batch_size": 64,
    "lr": 1e-3,
}
# What each package does when nobody says anything.
DEFAULTS: dict[tuple[str, str], dict[str, Any]] = {
    ("autoencoder", "pyod"): {
        "hidden": [64, 32],
        "batch_norm": True,
        "dropout": 0.2,
        "epochs": 10,
        "batch_size": 32,
        "lr": 1e-3,
        "weight_decay": 1e-5,
    },
    ("deep_svdd", "pyod"): {
        "hidden": [64, 32],
        "epochs": 100,
        "batch_size": 32,
        "lr": 1e-4,
        "weight_decay": 5e-7,
    },
    ("deep_svdd", "deepod"): _DEEPOD_DEFAULTS,
    ("deep_sad", "deepod"): _DEEPOD_DEFAULTS,
    ("neutral_ad", "deepod"): {
        **_DEEPOD_DEFAULTS,
        "n_transforms": 11,
        "trans_hidden": 50,
        "temperature": 0.1,
    },
    ("lof", "sklearn"): {"n_neighbors": 20},
    ("ocsvm", "sklearn"): {"nu": 0.5},
    ("kde", "sklearn"): {"bandwidth": 1.0},
}
