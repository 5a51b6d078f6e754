"""The registry: every method, one row. Strings only: torch is not imported."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["Method", "detector_class", "method", "methods", "register"]

C = TypeVar("C", bound=type)

BOTH = ("table", "picture")
TABLE = ("table",)


@dataclass(frozen=True)
class Method:
    """One method: what it is called, where it is published, what it needs.

    Attributes
    ----------
    name : str
        Name on the command line, and stem of its file, page and experiment.
    class_name : str
        Public name in `whitecrow`.
    paper, year
        Source.
    supervision : str
        "none", "polluted" (training data with anomalies), "labels" (a few), or
        "auxiliary" (outliers from elsewhere).
    input_kinds : tuple of str
        "table", "picture" or both.
    summary : str
        One line for lists.
    package : str
        "detectors", or "wrappers" for what takes a detector.
    """

    name: str
    class_name: str
    paper: str
    year: int
    supervision: str
    input_kinds: tuple[str, ...]
    summary: str
    package: str = "detectors"

    @property
    def module(self) -> str:
        """Return the name of the module that has the class."""
        return f"whitecrow.{self.package}.{self.name}"

    @property
    def cls(self) -> type[Any]:
        """Return the class, imported when first asked for."""
        if self.class_name in _REGISTERED:
            return _REGISTERED[self.class_name][1]
        found: type[Any] = getattr(
            importlib.import_module(self.module), self.class_name
        )
        return found


_METHODS = (
    Method(
        "alad",
        "ALAD",
        "Zenati et al., Adversarially Learned Anomaly Detection, ICDM",
        2018,
        "none",
        TABLE,
        "two adversarial cycles: how much a row changes on its way to a code and back",
    ),
    Method(
        "autoencoder",
        "AutoEncoder",
        "Sakurada and Yairi, Anomaly Detection Using Autoencoders, MLSDA",
        2014,
        "none",
        BOTH,
        "reconstruction error of a narrow network",
    ),
    Method(
        "bce",
        "BCE",
        "Ruff et al., Rethinking Assumptions in Deep Anomaly Detection, ICML workshop",
        2021,
        "auxiliary",
        BOTH,
        "binary classifier against auxiliary outliers",
    ),
    Method(
        "consensus",
        "Consensus",
        "our recipe, after Kriegel et al., Interpreting and Unifying Outlier Scores, "
        "SDM",
        2011,
        "polluted",
        BOTH,
        "several simple methods vote, fitted without the rows that they find odd",
        package="wrappers",
    ),
    Method(
        "dagmm",
        "DAGMM",
        "Zong et al., Deep Autoencoding Gaussian Mixture Model, ICLR",
        2018,
        "none",
        TABLE,
        "density of a row's code and of how badly it is reconstructed",
    ),
    Method(
        "deep_sad",
        "DeepSAD",
        "Ruff et al., Deep Semi-Supervised Anomaly Detection, ICLR",
        2020,
        "labels",
        BOTH,
        "distance to a centre; labelled anomalies are pushed away from it",
    ),
    Method(
        "deep_sad_oe",
        "DeepSADOE",
        "Ruff et al., Rethinking Assumptions in Deep Anomaly Detection, ICML workshop",
        2021,
        "auxiliary",
        BOTH,
        "distance to the origin, from which auxiliary outliers are pushed away",
    ),
    Method(
        "deep_svdd",
        "DeepSVDD",
        "Ruff et al., Deep One-Class Classification, ICML",
        2018,
        "none",
        BOTH,
        "distance to a centre in the space of a network",
    ),
    Method(
        "drocc",
        "DROCC",
        "Goyal et al., DROCC: Deep Robust One-Class Classification, ICML",
        2020,
        "none",
        TABLE,
        "a classifier of training rows against the hardest points around them",
    ),
    Method(
        "dsebm",
        "DSEBM",
        "Zhai et al., Deep Structured Energy Based Models for Anomaly Detection, ICML",
        2016,
        "none",
        TABLE,
        "a network that is an energy: its value, or the length of its gradient",
    ),
    Method(
        "duad",
        "DUAD",
        "Li et al., Deep Unsupervised Anomaly Detection, WACV",
        2021,
        "polluted",
        TABLE,
        "reconstruction error of a network trained on rows of tight clusters only",
    ),
    Method(
        "ecod",
        "ECOD",
        "Li et al., ECOD: Unsupervised Outlier Detection Using Empirical "
        "Cumulative Distribution Functions, TKDE",
        2022,
        "none",
        BOTH,
        "how far in the tails of the columns a row is, with nothing to tune",
    ),
    Method(
        "exposure",
        "Exposure",
        "Hendrycks et al., Deep Anomaly Detection with Outlier Exposure, ICLR",
        2019,
        "auxiliary",
        BOTH,
        "trains any method with a loss for anomalies against auxiliary outliers",
        package="wrappers",
    ),
    Method(
        "focal",
        "Focal",
        "Ruff et al., Rethinking Assumptions in Deep Anomaly Detection, ICML workshop",
        2021,
        "auxiliary",
        BOTH,
        "binary classifier against auxiliary outliers that minds what it gets wrong",
    ),
    Method(
        "gmm",
        "GMM",
        "Bishop, Novelty Detection and Neural Network Validation, IEE Proceedings",
        1994,
        "none",
        BOTH,
        "negative log density of a mixture of Gaussians",
    ),
    Method(
        "goad",
        "GOAD",
        "Bergman and Hoshen, Classification-Based Anomaly Detection, ICLR",
        2020,
        "none",
        TABLE,
        "how hard it is to tell which of many random maps was applied",
    ),
    Method(
        "hbos",
        "HBOS",
        "Goldstein and Dengel, Histogram-based Outlier Score (HBOS), KI",
        2012,
        "none",
        BOTH,
        "how rare the values of a row are, by histograms of the columns",
    ),
    Method(
        "hsc",
        "HSC",
        "Ruff et al., Rethinking Assumptions in Deep Anomaly Detection, ICML workshop",
        2021,
        "auxiliary",
        BOTH,
        "hypersphere classifier against auxiliary outliers",
    ),
    Method(
        "isolation_forest",
        "IsolationForest",
        "Liu, Ting and Zhou, Isolation Forest, ICDM",
        2008,
        "none",
        BOTH,
        "how few random cuts isolate a row",
    ),
    Method(
        "kde",
        "KDE",
        "Parzen, On Estimation of a Probability Density Function and Mode, AMS",
        1962,
        "none",
        BOTH,
        "negative log of a kernel density",
    ),
    Method(
        "knn",
        "KNN",
        "Ramaswamy, Rastogi and Shim, Efficient Algorithms for Mining Outliers, SIGMOD",
        2000,
        "none",
        BOTH,
        "distance to the nearest training rows",
    ),
    Method(
        "loe",
        "LOE",
        "Qiu et al., Latent Outlier Exposure, ICML",
        2022,
        "polluted",
        BOTH,
        "guesses the anomalies in the training data and learns from them",
        package="wrappers",
    ),
    Method(
        "lof",
        "LOF",
        "Breunig et al., LOF: Identifying Density-Based Local Outliers, SIGMOD",
        2000,
        "none",
        BOTH,
        "density against the density around the nearest neighbours",
    ),
    Method(
        "mem_ae",
        "MemAE",
        "Gong et al., Memorizing Normality to Detect Anomaly, ICCV",
        2019,
        "none",
        BOTH,
        "reconstruction error of a network that decodes from a memory of normal codes",
    ),
    Method(
        "mhrot",
        "MHRot",
        "Hendrycks et al., Using Self-Supervised Learning Can Improve Model Robustness "
        "and Uncertainty, NeurIPS",
        2019,
        "none",
        ("picture",),
        "how hard it is to tell which flips, shifts and turns were applied",
    ),
    Method(
        "neutral_ad",
        "NeuTraLAD",
        "Qiu et al., Neural Transformation Learning for Deep Anomaly Detection, ICML",
        2021,
        "none",
        TABLE,
        "contrastive loss over learned transformations",
    ),
    Method(
        "normals_only",
        "NormalsOnly",
        "Ruff et al., Deep Semi-Supervised Anomaly Detection (its baselines), ICLR",
        2020,
        "labels",
        BOTH,
        "fits any method without the rows that are known to be anomalies",
        package="wrappers",
    ),
    Method(
        "ocsvm",
        "OCSVM",
        "Schoelkopf et al., Estimating the Support of a High-Dimensional Distribution",
        2001,
        "none",
        BOTH,
        "one-class support vector machine",
    ),
    Method(
        "padim",
        "PaDiM",
        "Defard et al., PaDiM: a Patch Distribution Modeling Framework, ICPR workshops",
        2021,
        "none",
        ("picture",),
        "a Gaussian of local features for every place of the picture",
    ),
    Method(
        "pca",
        "PCA",
        "Shyu et al., A Novel Anomaly Detection Scheme Based on Principal Component "
        "Classifier, ICDM workshops",
        2003,
        "none",
        BOTH,
        "distance to the main directions of the data, or to their middle",
    ),
    Method(
        "rec_forest",
        "RecForest",
        "Xu et al., Reconstruction-based Anomaly Detection with Completely Random "
        "Forest, SDM",
        2021,
        "none",
        BOTH,
        "distance to the middle of the box that random trees leave around a row",
    ),
    Method(
        "robust_autoencoder",
        "RobustAutoEncoder",
        "Nkashama et al., Robustness Evaluation of Deep Unsupervised Learning "
        "Algorithms for Intrusion Detection Systems, ICML workshop",
        2022,
        "polluted",
        BOTH,
        "an autoencoder that does not learn to reproduce what looks anomalous already",
    ),
    Method(
        "soel",
        "SOEL",
        "Li et al., Deep Anomaly Detection under Labeling Budget Constraints, ICML",
        2023,
        "labels",
        BOTH,
        "a few labels, and guesses of the anomalies among all other rows",
        package="wrappers",
    ),
    Method(
        "som_dagmm",
        "SOMDAGMM",
        "Chen et al., Self-Organizing Map assisted Deep Autoencoding Gaussian Mixture "
        "Model for Intrusion Detection, arXiv",
        2020,
        "none",
        TABLE,
        "DAGMM that also sees where a row is on a self-organising map",
    ),
    Method(
        "supervised",
        "Supervised",
        "Ruff et al., Deep Semi-Supervised Anomaly Detection (its baseline), ICLR",
        2020,
        "labels",
        BOTH,
        "trains any method with a loss for anomalies on labelled rows alone",
        package="wrappers",
    ),
)


# Takes detectors of other packages: reached by `wrap`, and no method by itself.
_WRAPPED = Method(
    "wrapped",
    "Wrapped",
    "any estimator of scikit-learn or PyOD",
    0,
    "none",
    BOTH,
    "an outlier detector of another package",
    package="wrappers",
)

# Classes of users, by their names.
_REGISTERED: dict[str, tuple[Method, type[Any]]] = {}


def register(cls: C, *, name: str | None = None, paper: str = "", year: int = 0) -> C:
    """Register a detector of your own, by its name and for model files.

    Parameters
    ----------
    cls : type
        A class derived from one of whitecrow's; also as a decorator.
    name : str, optional
        By default that of the class in small letters, as `my_method` for `MyMethod`.
    paper, year : optional
        Source, for lists.

    Returns
    -------
    type
        The class. A file of a model says no more than its name: whoever loads one
        registers the class first.

    Raises
    ------
    ParameterError
        When it is no detector, or a method of whitecrow has the name.

    Examples
    --------
    >>> import tempfile
    >>> import whitecrow as wc
    >>> @wc.register
    ... class Taxicab(wc.KNN):
    ...     '''KNN by sums of differences.'''
    ...
    ...     p = 1
    >>> model = Taxicab().fit([[0.0, 1.0], [1.0, 0.0], [5.0, 5.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(f"{folder}/taxicab.crow")
    ...     same = wc.load(f"{folder}/taxicab.crow")
    >>> type(same) is Taxicab
    True
    """
    from whitecrow.errors import ParameterError

    facts: Any = cls
    if not hasattr(cls, "anomaly_score") or not hasattr(cls, "get_params"):
        raise ParameterError(
            f"{cls.__name__} is no detector; derive it from a class of whitecrow, or "
            "give an estimator of another package to whitecrow.wrap"
        )
    name = name or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
    ours = {text for m in (*_METHODS, _WRAPPED) for text in (m.name, m.class_name)}
    if {name, cls.__name__} & ours:
        raise ParameterError(
            f"whitecrow has a method {name!r} or {cls.__name__!r} already; give the "
            "class another name"
        )
    supervision = (
        "auxiliary"
        if facts.uses_auxiliary
        else "labels"
        if facts.uses_labels
        else "none"
    )
    summary = (cls.__doc__ or cls.__name__).strip().splitlines()[0].rstrip(".")
    record = Method(
        name, cls.__name__, paper, year, supervision, facts.input_kinds, summary
    )
    _REGISTERED[cls.__name__] = record, cls
    return cls


def methods() -> tuple[Method, ...]:
    """List the methods of whitecrow, sorted by name.

    Examples
    --------
    >>> {"autoencoder", "deep_sad"} <= {m.name for m in methods()}
    True
    """
    return _METHODS


def method(name: str) -> Method:
    """Look up a method, one of yours too, by its name or the name of its class.

    Raises
    ------
    ParameterError
        With the legal names, when there is none.
    """
    known = *_METHODS, *(record for record, _ in _REGISTERED.values())
    for record in known:
        if name in {record.name, record.class_name}:
            return record
    from whitecrow.errors import ParameterError

    legal = ", ".join(record.name for record in known)
    raise ParameterError(f"there is no method {name!r}; use one of {legal}")


def detector_class(class_name: str) -> type[Any]:
    """Look up the class of this name: a method's, or the one that `wrap` gives."""
    return _WRAPPED.cls if class_name == "Wrapped" else method(class_name).cls
