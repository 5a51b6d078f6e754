"""What a command takes when nobody says: the only place that decides it."""

from __future__ import annotations

__all__ = ["PICTURE_SIDE", "default_method"]

PICTURE_SIDE = 128
"""Pictures with a longer side are scaled to this many pixels for training."""

_CHOICES = {
    ("table", False): (
        "consensus",
        "it ranks tables best of the methods that take seconds, without any tuning",
    ),
    ("table", True): (
        "deep_sad",
        "it learns from labelled rows and from unlabelled ones at the same time",
    ),
    ("picture", False): (
        "padim",
        "it needs a few dozen pictures and seconds, and shows where a picture is odd",
    ),
    ("picture", True): (
        "deep_sad",
        "it learns from labelled pictures and from unlabelled ones at the same time",
    ),
}


def default_method(kind: str, *, use_labels: bool = False) -> tuple[str, str]:
    """Name the method for data of a kind, and say why.

    Parameters
    ----------
    kind : {"table", "picture"}
        What the rows are.
    use_labels : bool, default=False
        Whether the user asked to learn from labels.

    Returns
    -------
    name : str
        A name of `whitecrow.methods()`.
    reason : str
        Completes the sentence "chosen because".

    Examples
    --------
    >>> default_method("table")[0]
    'consensus'
    """
    return _CHOICES[kind, use_labels]
