"""Models on disk."""

from __future__ import annotations

from whitecrow.saving.models import Bundle, load, load_bundle, save

__all__ = ["Bundle", "load", "load_bundle", "save"]
