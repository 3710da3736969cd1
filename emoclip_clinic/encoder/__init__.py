"""The video encoder: EmoCLIP on open_clip's towers, its checkpoints, and its use on recordings."""

from __future__ import annotations

__all__: list[str] = []
