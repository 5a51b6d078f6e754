"""What went wrong behind the page, as a sentence with what to do."""

from __future__ import annotations

from whitecrow.errors import UserError

__all__ = ["NO_REASONS", "said", "sentence", "unwritten"]

_AGAIN = (
    "If it fails again, close other programs if memory ran out, or press Ctrl-C in the "
    "terminal and start again with another --method"
)
_SENTENCES = {
    "training": "The last training failed: {said}. Your answers are saved, and the "
    "questions go on with the last fit; your next answer tries again. {again}.",
    "questions": "The next questions could not be prepared: {said}. Your answers are "
    "saved; the page tries again in {seconds:.0f} seconds. {again}.",
    "checking": "Answers could not be checked against the detector: {said}. Everything "
    "else goes on; a later answer tries again.",
}

NO_REASONS = "What makes it odd cannot be computed: {said}. You can still answer."


def said(error: BaseException) -> str:
    r"""Write an error as part of a sentence, without a full stop.

    Examples
    --------
    >>> said(RuntimeError("CUDA out of memory.\nTried to allocate 2 GiB."))
    'CUDA out of memory. Tried to allocate 2 GiB (RuntimeError)'
    """
    text = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, UserError) and text:
        return text
    kind = type(error).__name__
    return f"{text} ({kind})" if text else kind


def sentence(what: str, error: BaseException, *, seconds: float) -> str:
    """Say on the page what failed in the background."""
    told = _SENTENCES[what]
    return told.format(said=said(error), again=_AGAIN, seconds=seconds)


def unwritten(error: BaseException) -> str:
    """Say on the page why Finish failed."""
    if isinstance(error, UserError | OSError):
        return said(error)
    return f"{said(error)}. Your answers are saved; press Finish to try again. {_AGAIN}"
