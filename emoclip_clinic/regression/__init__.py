"""Scores from embeddings: participant-grouped cross-validation, performance, the final model."""

from __future__ import annotations

from emoclip_clinic.regression.archive import load, save
from emoclip_clinic.regression.crossval import CrossValidation, cross_validate
from emoclip_clinic.regression.fitted import Features, FittedModel, fit_model, predict
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
    "performance",
    "permutation_test",
    "pool",
    "predict",
    "save",
    "splits",
]
