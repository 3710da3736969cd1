"""The blocks that a template can name."""

from __future__ import annotations

from collections.abc import Mapping

from emoclip_clinic.report.asked import Named
from emoclip_clinic.report.blocks import (
    agreement,
    calibration,
    checklist,
    closing,
    cohort,
    equivalence,
    front,
    methods,
    person,
    planning,
    prediction,
    quality,
    raters,
    reliability,
    summary,
    validity,
)
from emoclip_clinic.report.context import Block, Selection

__all__ = ["BLOCKS"]

BLOCKS: Mapping[str, Block] = {
    "title": Block(front.title),
    "limits": Block(front.limits),
    "contents": Block(front.contents),
    "stale": Block(front.stale_notice),
    "summary": Block(summary.summary),
    "flow": Block(cohort.flow),
    "exclusions": Block(cohort.exclusions),
    "participants": Block(cohort.participants),
    "recordings": Block(cohort.recordings),
    "quality": Block(cohort.quality),
    "quality_figure": Block(quality.figure),
    "excluded_windows": Block(quality.excluded_windows),
    "worst_recordings": Block(quality.worst_recordings),
    "quality_thresholds": Block(quality.thresholds),
    "quality_sensitivity": Block(quality.sensitivity),
    "raters": Block(cohort.raters),
    "agreement": Block(agreement.side_by_side, agreement.AllTargets),
    "forest": Block(agreement.forest_plot, agreement.AllTargets),
    "pairs": Block(agreement.pairs_table, Selection),
    "performance": Block(prediction.performance_table, prediction.Performance),
    "scatter": Block(prediction.scatter_panels, Selection),
    "bland_altman": Block(prediction.bland_altman_panels, Selection),
    "limits_table": Block(equivalence.limits_table, Named),
    "icc_forms": Block(reliability.icc_forms, Named),
    "reliability": Block(reliability.reliability, agreement.AllTargets),
    "categories": Block(reliability.categories, reliability.Categories),
    "rater_diagnostics": Block(raters.rater_diagnostics, Named),
    "rater_pairs": Block(raters.rater_pairs, Named),
    "equivalence": Block(equivalence.equivalence, Named),
    "agreement_by_group": Block(equivalence.agreement_by_group, Named),
    "agreement_of_change": Block(equivalence.agreement_of_change, Named),
    "item_profile": Block(calibration.item_profile),
    "calibration": Block(calibration.calibration_table, agreement.AllTargets),
    "calibration_panels": Block(calibration.calibration_panels, Selection),
    "comparison": Block(validity.comparison, validity.Measured),
    "subgroups": Block(validity.subgroups, validity.Measured),
    "coverage": Block(validity.coverage, agreement.AllTargets),
    "sensitivity": Block(validity.sensitivity, Named),
    "learning_curve": Block(planning.learning_curve, planning.LearningCurve),
    "precision": Block(planning.precision, Named),
    "person": Block(person.heading),
    "person_scores": Block(person.scores_table, agreement.AllTargets),
    "person_items": Block(person.items_figure),
    "person_timeline": Block(person.timeline, Named),
    "person_quality": Block(person.quality),
    "methods": Block(methods.methods),
    "checklist": Block(checklist.checklist, checklist.Named),
    "references": Block(closing.references),
    "glossary": Block(closing.glossary),
    "provenance": Block(closing.provenance),
    "text": Block(closing.text, closing.OwnText),
}
"""By the name that templates use."""
