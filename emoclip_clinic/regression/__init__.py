"""Scores from embeddings: participant-grouped cross-validation, performance, the final model."""

from __future__ import annotations

from emoclip_clinic.regression.applied import predict
from emoclip_clinic.regression.archive import load, save
from emoclip_clinic.regression.conformal import measured_coverage
from emoclip_clinic.regression.crossval import CrossValidation, cross_validate
from emoclip_clinic.regression.final import fit_model
from emoclip_clinic.regression.fitted import Features, FittedModel
from emoclip_clinic.regression.folds import Design, splits
from emoclip_clinic.regression.inference import performance
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.regression.permutation import permutation_test
from emoclip_clinic.regression.pooling import pool
from emoclip_clinic.regression.recipes import Recipe

__all__ = [
    "CrossValidation",
    "Design",
    "Features",
    "FittedModel",
    "Inputs",
    "Recipe",
    "cross_validate",
    "fit_model",
    "load",
    "measured_coverage",
    "performance",
    "permutation_test",
    "pool",
    "predict",
    "save",
    "splits",
]
