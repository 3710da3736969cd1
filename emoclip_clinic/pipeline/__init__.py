"""One plain function a stage: what the commands run and a notebook imports."""

from __future__ import annotations

from emoclip_clinic.pipeline._stage import Progress, StageResult
from emoclip_clinic.pipeline.agree import agree
from emoclip_clinic.pipeline.demo import demo
from emoclip_clinic.pipeline.encode import encode
from emoclip_clinic.pipeline.fit import fit
from emoclip_clinic.pipeline.ingest import ingest
from emoclip_clinic.pipeline.opening import init, open_or_create
from emoclip_clinic.pipeline.predict import predict
from emoclip_clinic.pipeline.report import report
from emoclip_clinic.pipeline.run import run

__all__ = [
    "Progress", "StageResult", "agree", "demo", "encode", "fit", "ingest", "init",
    "open_or_create", "predict", "report", "run",
]  # fmt: skip
