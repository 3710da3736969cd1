"""One plain function a stage: what the commands run and a notebook imports."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emoclip_clinic.pipeline._stage import Progress, StageResult
    from emoclip_clinic.pipeline.agreeing import agree
    from emoclip_clinic.pipeline.checking import check_dataset
    from emoclip_clinic.pipeline.comparing import compare_zeroshot
    from emoclip_clinic.pipeline.demonstrating import demo
    from emoclip_clinic.pipeline.describing import describe
    from emoclip_clinic.pipeline.encoding import encode
    from emoclip_clinic.pipeline.fitting import fit
    from emoclip_clinic.pipeline.ingesting import ingest
    from emoclip_clinic.pipeline.opening import init, open_or_create
    from emoclip_clinic.pipeline.predicting import predict
    from emoclip_clinic.pipeline.quality_overview import quality
    from emoclip_clinic.pipeline.quality_sensitivity import sensitivity
    from emoclip_clinic.pipeline.rating import check_ratings, rating_template
    from emoclip_clinic.pipeline.reporting import report
    from emoclip_clinic.pipeline.reviewing import clean_review, review
    from emoclip_clinic.pipeline.running import run
    from emoclip_clinic.pipeline.training import train
    from emoclip_clinic.pipeline.turning import check_turns
    from emoclip_clinic.pipeline.zeroshotting import zeroshot

__all__ = [
    "Progress", "StageResult", "agree", "check_dataset", "check_ratings", "check_turns",
    "clean_review", "compare_zeroshot", "demo", "describe", "encode", "fit", "ingest", "init",
    "open_or_create", "predict", "quality", "rating_template", "report", "review", "run",
    "sensitivity", "train", "zeroshot",
]  # fmt: skip

_HOMES = {
    "Progress": "_stage",
    "StageResult": "_stage",
    "agree": "agreeing",
    "check_dataset": "checking",
    "check_ratings": "rating",
    "check_turns": "turning",
    "clean_review": "reviewing",
    "compare_zeroshot": "comparing",
    "demo": "demonstrating",
    "describe": "describing",
    "encode": "encoding",
    "fit": "fitting",
    "ingest": "ingesting",
    "init": "opening",
    "open_or_create": "opening",
    "predict": "predicting",
    "quality": "quality_overview",
    "rating_template": "rating",
    "report": "reporting",
    "review": "reviewing",
    "run": "running",
    "sensitivity": "quality_sensitivity",
    "train": "training",
    "zeroshot": "zeroshotting",
}


def __getattr__(name: str) -> Any:
    # on first use: a command waits for its own libraries only
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    return getattr(module, name)
