"""emoclip-clinic weights."""

from __future__ import annotations
