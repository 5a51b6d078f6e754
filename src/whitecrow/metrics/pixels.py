r"""Quality of heat maps against masks of the defects.

With the pixels of all pictures in one ranking, pixel AUROC and average precision are
those of rows. They count pixels, so one large defect outweighs many small ones. PRO
counts regions (connected pixels of a mask, corners included) alike: at a threshold
$t$ it is the mean share of the $K$ regions $R_k$ that is found,

$$\mathrm{PRO}(t) = \frac{1}{K} \sum_k \frac{|\{p \in R_k : s_p \ge t\}|}{|R_k|},$$

and as a number it is the area below the curve of PRO over the false positive rate of
all pixels without a defect, up to a rate of 0.3, divided by 0.3. A pixel of region
$R_k$ adds $1 / (K |R_k|)$ as soon as it is found: this is an ROC curve with weights, so
the whole curve comes from one sorting, exact in every threshold, without bins.

References
----------
P. Bergmann, M. Fauser, D. Sattlegger, C. Steger. "MVTec AD - A comprehensive
real-world dataset for unsupervised anomaly detection". CVPR 2019, and P. Bergmann,
K. Batzner, M. Fauser, D. Sattlegger, C. Steger. "The MVTec Anomaly Detection Dataset".
International Journal of Computer Vision 129, 2021, section 5.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whitecrow.errors import DataError, ParameterError

__all__ = ["FPR_LIMIT", "PixelQuality", "evaluate_pixels", "regions"]

FPR_LIMIT = 0.3

Bools = NDArray[np.bool_]
Scores = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PixelQuality:
    """How well heat maps show where the defects are.

    Attributes
    ----------
    auroc : float or None
        Chance that a pixel of a defect is hotter than one without; None if either
        is absent.
    pro : float or None
        Per-region overlap, integrated up to a false positive rate of 0.3 and divided
        by it; None with `auroc`.
    average_precision : float or None
        Of pixels; None if no pixel is marked.
    best_f1 : float or None
        Highest F1 of pixels over all thresholds, which nobody can choose without the
        masks; None if no pixel is marked.
    n_pictures, n_masks, n_regions : int
        Pictures, those of them with a marked pixel, and regions.
    """

    auroc: float | None
    pro: float | None
    average_precision: float | None
    best_f1: float | None
    n_pictures: int
    n_masks: int
    n_regions: int

    def to_dict(self) -> dict[str, float | int | None]:
        """Return plain numbers, for `--json`."""
        return asdict(self)


def evaluate_pixels(
    heat: NDArray[Any], masks: Bools, *, fpr_limit: float = FPR_LIMIT
) -> PixelQuality:
    """Compare heat maps with masks, pixel by pixel.

    Parameters
    ----------
    heat : ndarray of float, shape (n, h, w)
        Higher = more anomalous; float32 is sorted as it is, which halves memory.
    masks : ndarray of bool, shape (n, h, w)
        True where the defect is. They have the size of the heat maps: it is masks
        that are resized (`data.masks.read_masks` does), since a resized heat map
        would be another ranking.
    fpr_limit : float, default=0.3
        Where the curve of PRO ends.

    Raises
    ------
    DataError
        Shapes differ or are not (n, h, w), there is no pixel, or heat is not finite.
    ParameterError
        `fpr_limit` is not above 0 and at most 1.

    Examples
    --------
    >>> heat = np.array([[[0.1, 0.9, 0.2], [0.3, 0.8, 0.4]]])
    >>> masks = np.array([[[False, True, False], [False, False, False]]])
    >>> evaluate_pixels(heat, masks).auroc
    1.0
    """
    heat, masks = _checked(heat, masks, fpr_limit)
    sizes, region = regions(masks)
    counts = {
        "n_pictures": len(masks),
        "n_masks": int(masks.any(axis=(1, 2)).sum()),
        "n_regions": len(sizes),
    }
    if not len(sizes):
        return PixelQuality(
            auroc=None, pro=None, average_precision=None, best_f1=None, **counts
        )
    weights = 1 / (len(sizes) * sizes[region])
    curve = _curve(heat[masks], heat[~masks], weights)
    recall, precision = curve.found / curve.found[-1], curve.precision
    return PixelQuality(
        auroc=_area(curve.below(1.0, curve.found), 1.0),
        pro=_area(curve.below(fpr_limit, curve.overlap), fpr_limit),
        average_precision=float(np.sum(np.diff(recall, prepend=0.0) * precision)),
        best_f1=float(np.max(2 * precision * recall / (precision + recall))),
        **counts,
    )


def regions(masks: Bools) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the sizes of the regions, and to which one each marked pixel belongs.

    Pixels that touch, if only by their corners, are of one region.

    Returns
    -------
    sizes : ndarray of int, shape (k,)
    region : ndarray of int, shape (marked pixels,)
        Row of `sizes`, in the order of `masks[masks]`.

    Examples
    --------
    >>> masks = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 1]]], dtype=bool)
    >>> regions(masks)[0]
    array([2, 1, 1])
    """
    from scipy import ndimage

    # One array of all pictures: no neighbours along its first axis.
    structure = np.zeros((3, 3, 3), dtype=bool)
    structure[1] = True
    marked = np.flatnonzero(masks.any(axis=(1, 2)))
    labelled, k = ndimage.label(masks[marked], structure)
    region = labelled[masks[marked]].astype(np.intp) - 1
    return np.bincount(region, minlength=k), region


# ------------------------------------------------------------------------ curves


@dataclass(frozen=True, eq=False)
class _Curve:
    """What is found at each different score of a marked pixel, the highest first.

    Attributes
    ----------
    hotter, wrong : ndarray of float, shape (t,)
        Clear pixels above the score, and those at it or above.
    found : ndarray of float, shape (t,)
        Marked pixels at the score or above.
    overlap : ndarray of float, shape (t,)
        Sum of their weights: PRO at this threshold.
    n_clear : int
        Pixels without a defect.
    """

    hotter: Scores
    wrong: Scores
    found: Scores
    overlap: Scores
    n_clear: int

    @property
    def precision(self) -> Scores:
        return self.found / (self.found + self.wrong)

    def below(self, limit: float, height: Scores) -> tuple[Scores, Scores] | None:
        """Return corners (rate, height) of a curve up to a rate, its height 0 to 1.

        Between two scores of marked pixels only clear ones are passed: the curve runs
        flat. At a score, it rises upright or, with ties, aslant.
        """
        if not self.n_clear:
            return None
        share = height / height[-1]
        before = np.concatenate(([0.0], share[:-1]))
        rate = np.column_stack([self.hotter, self.wrong]).ravel() / self.n_clear
        level = np.column_stack([before, share]).ravel()
        rate = np.concatenate(([0.0], rate, [1.0]))
        level = np.concatenate(([0.0], level, [1.0]))
        inside = int(np.searchsorted(rate, limit, side="right"))
        if inside == len(rate):
            return rate, level
        end = np.interp(limit, rate[inside - 1 : inside + 1], level[inside - 1 :][:2])
        return np.append(rate[:inside], limit), np.append(level[:inside], end)


def _curve(marked: NDArray[Any], clear: NDArray[Any], weights: Scores) -> _Curve:
    clear.sort()
    order = np.argsort(-marked, kind="stable")
    scores = marked[order]
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
    steps = scores[last]
    n = len(clear)
    return _Curve(
        hotter=(n - np.searchsorted(clear, steps, side="right")).astype(np.float64),
        wrong=(n - np.searchsorted(clear, steps, side="left")).astype(np.float64),
        found=(last + 1).astype(np.float64),
        overlap=np.cumsum(weights[order])[last],
        n_clear=n,
    )


def _area(corners: tuple[Scores, Scores] | None, limit: float) -> float | None:
    return (
        None if corners is None else float(np.trapezoid(corners[1], corners[0])) / limit
    )


def _checked(
    heat: NDArray[Any], masks: Bools, fpr_limit: float
) -> tuple[NDArray[Any], Bools]:
    heat, masks = np.asarray(heat), np.asarray(masks)
    if not 0 < fpr_limit <= 1:
        raise ParameterError(f"fpr_limit={fpr_limit}; use a rate above 0 and up to 1")
    if heat.shape != masks.shape or heat.ndim != 3 or not heat.size:
        raise DataError(
            f"heat maps have shape {heat.shape} and masks {masks.shape}; give both as "
            "(pictures, height, width), and resize the masks, not the heat maps"
        )
    if masks.dtype != np.bool_:
        raise DataError(f"masks are of type {masks.dtype}; give truth values")
    heat = heat if heat.dtype == np.float32 else heat.astype(np.float64, copy=False)
    if not np.isfinite(heat).all():
        bad = int(np.flatnonzero(~np.isfinite(heat).all(axis=(1, 2)))[0])
        raise DataError(
            f"the heat map of picture {bad} is not finite; check the detector"
        )
    return heat, masks
