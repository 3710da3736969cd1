"""Training EmoCLIP: videos and captions, contrasted with one another."""

from __future__ import annotations

__all__: list[str] = []
