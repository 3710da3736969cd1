"""A synthetic cohort with a known truth, and the small encoder that was trained on drawn faces."""

from __future__ import annotations

__all__: list[str] = []
