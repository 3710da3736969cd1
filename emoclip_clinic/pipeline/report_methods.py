"""What the methods text of a report states: from the provenance of the stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from emoclip_clinic import report as pdf
from emoclip_clinic.participant_rule import parse_rule
from emoclip_clinic.pipeline.encoded import encode_stage
from emoclip_clinic.pipeline.sources import (
    reported_model,
)
from emoclip_clinic.regression import Recipe
from emoclip_clinic.regression.estimators import REGISTRY
from emoclip_clinic.regression.pooling import POOLINGS
from emoclip_clinic.study import Study

__all__ = ["methods_stated"]

COVARIATES = {
    "ignore": "",
    "only": " on covariates alone",
    "add": " with covariates beside the features",
    "remove": " with covariates regressed out of the features",
}
FACE_FINDERS = {"yunet": "YuNet", "haar": "OpenCV's Haar cascade", "none": ""}


def methods_stated(
    study: Study, scale_id: str, fitted: Mapping[str, Any], label: str
) -> pdf.Methods:
    """Collect what the methods text states, from the provenance of the stages."""
    encoded = study.provenance(encode_stage(label)) or {}
    recipe = Recipe.parse(
        reported_model(study, scale_id), fitted["settings"].get("pooling", "mean_sd")
    )
    design, how = fitted["settings"], encoded.get("settings", {})
    protocol, turns = how.get("protocol", {}), how.get("turns", {})
    settings = {
        f"{section.name}.{key}": value
        for section in fields(study.settings)
        for key, value in asdict(getattr(study.settings, section.name)).items()
    }
    # what was done, where an option took the place of study.toml
    settings |= {"fit.cv": design["kind"], "encode.encoder": label, **_encoded_as(how)}
    return pdf.Methods(
        encoder=label,
        encoder_fingerprint=encoded.get("inputs", {}).get("encoder", ""),
        n_features=encoded.get("dim"),
        frame_rate_hz=protocol.get("rate_hz"),
        window_frames=protocol.get("window_frames"),
        window_stride_frames=protocol.get("stride_frames"),
        turns=bool(turns) and bool(turns["speaker"] or not turns["sections"]),
        joined_pauses_s=turns.get("join_pauses_s"),
        sections=", ".join(turns.get("sections", ())),
        face_finder=FACE_FINDERS.get(how.get("faces", ""), ""),
        face_minimum_fraction=protocol.get("min_face_fraction"),
        participant=_rule(how),
        reviewed=study.review_csv.name in encoded.get("inputs", {}),
        precision=how.get("precision", ""),
        pooling=POOLINGS[recipe.pooling].label,
        estimator=REGISTRY[recipe.estimator].label + COVARIATES[recipe.covariates],
        cv=design["kind"],
        folds=design["n_folds"],
        repeats=design["n_repeats"],
        inner_folds=design["n_inner_folds"],
        fit_resamples=design["resamples"],
        agree_resamples=study.settings.agree.resamples,
        seed=design["seed"],
        device=encoded.get("device", ""),
        versions={
            "emoclip-clinic": fitted["emoclip_clinic"],
            "Python": fitted["python"],
            **fitted["libraries"],
        },
        settings=settings,
    )


def _encoded_as(how: Mapping[str, Any]) -> dict[str, Any]:
    """Give the settings under [encode] by which recordings were encoded."""
    turns, rule = how.get("turns", {}), how.get("participant", "")
    return {
        "encode.faces": how.get("faces", ""),
        # a photo, or what somebody is called, may be their name
        "encode.participant": "photo" if _rule(how).startswith("photo") else rule,
        "encode.precision": how.get("precision", "fp32"),
        "encode.turns": turns.get("pattern", ""),
        "encode.speaker": len(turns.get("speaker", ())),
        "encode.sections": turns.get("sections", ()),
        "encode.join_pauses_s": turns.get("join_pauses_s", 0.0),
    }


def _rule(how: Mapping[str, Any]) -> str:
    """Name the kind of the rule by which recordings were encoded; empty where it is not known."""
    if "participant" not in how:
        return ""
    kind = parse_rule(how["participant"]).kind
    return f"{kind}_sface" if how.get("recogniser") == "sface" else kind
