"""The blocks that a template can name."""

from __future__ import annotations

from collections.abc import Mapping

from emoclip_clinic.report.blocks import agreement, closing, cohort, front, methods, prediction
from emoclip_clinic.report.context import Block, Selection

__all__ = ["BLOCKS"]

BLOCKS: Mapping[str, Block] = {
    "title": Block(front.title),
    "limits": Block(front.limits),
    "contents": Block(front.contents),
    "summary": Block(front.summary),
    "flow": Block(cohort.flow),
    "exclusions": Block(cohort.exclusions),
    "participants": Block(cohort.participants),
    "recordings": Block(cohort.recordings),
    "quality": Block(cohort.quality),
    "raters": Block(cohort.raters),
    "agreement": Block(agreement.side_by_side, agreement.AllTargets),
    "forest": Block(agreement.forest_plot, agreement.AllTargets),
    "pairs": Block(agreement.pairs_table, Selection),
    "performance": Block(prediction.performance_table, prediction.Performance),
    "scatter": Block(prediction.scatter_panels, Selection),
    "bland_altman": Block(prediction.bland_altman_panels, Selection),
    "methods": Block(methods.methods),
    "references": Block(closing.references),
    "glossary": Block(closing.glossary),
    "provenance": Block(closing.provenance),
    "text": Block(closing.text, closing.OwnText),
}
"""By the name that templates use."""
