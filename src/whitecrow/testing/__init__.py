"""Behavioural checks for detectors, ours and those of others; see `checks`."""

from whitecrow.testing.checks import check_detector, checks_for

__all__ = ["check_detector", "checks_for"]
