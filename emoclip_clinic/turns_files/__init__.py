"""Turns and sections from where researchers have them: CSV, BIDS, ELAN, Praat, RTTM."""

from __future__ import annotations

from emoclip_clinic.turns_files.reading import KINDS, read

__all__ = ["KINDS", "read"]
