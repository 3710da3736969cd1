"""A made-up cohort for the tests of reports: ratings with a known structure, drawn from a seed.

Ids are canaries: no page of a report may show them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from emoclip_clinic.agreement.summary import agree
from emoclip_clinic.report import Methods, ReportData
from emoclip_clinic.report.checklists import read_checklist
from emoclip_clinic.report.profiles import profile
from emoclip_clinic.scales import load_scale
from emoclip_clinic.scales import targets as scale_targets
from tests.report_tables import report_tables

PARTICIPANT = "canaryperson"
RATERS = ("Anna Canaryrater", "Bert Canaryrater", "Clara Canaryrater", "Dora Canaryrater",
          "Emil Canaryrater", "Fay Canaryrater")  # fmt: skip
NOTICE = (
    "Made with the demonstration encoder emoclip-demo, which was trained on drawn faces: "
    "the numbers show how the software works and nothing about people."
)


def report_data(
    n_participants: int = 38,
    n_raters: int = 3,
    *,
    scale: str = "panss",
    seed: int = 1,
    n_targets: int | None = None,
    **changes: Any,
) -> ReportData:
    """Make the data of a report on the last of a scale's targets; `changes` replace its fields."""
    rng = np.random.default_rng(seed)
    targets = scale_targets(load_scale(scale)).iloc[-(n_targets or 0) :].reset_index(drop=True)
    visits = [(f"{PARTICIPANT}{n:03d}", "01") for n in range(n_participants)]
    scored, predictions = (
        table.assign(scale=scale) for table in scores(rng, targets, visits, n_raters)
    )
    fields: dict[str, Any] = {
        "title": "Expressive symptoms in clinical interviews at two sites",
        "institution": "Department of Psychiatry, Example University",
        "scale": scale,
        "scale_name": load_scale(scale).name,
        "scale_reference": load_scale(scale).reference,
        "scale_licence": load_scale(scale).licence,
        "targets": targets,
        "predictions": predictions,
        "performance": performance(predictions, targets),
        "agreement": agree(
            scored,
            predictions,
            scale_id=scale,
            targets=list(targets["target"]),
            n_resamples=50,
            seed=seed,
        ),
        "methods": METHODS,
        "fingerprints": {
            "ratings.csv": "3f" * 32,
            "recordings.csv": "a0" * 32,
            "participants.csv": "07" * 32,
        },
        "notices": (NOTICE,),
        "checklists": {name: read_checklist(name) for name in ("grras", "tripod_ai")},
        "tables": {
            "profile": profile(predictions, "ridge", targets),
            **report_tables(targets, RATERS[:n_raters], n_participants),
        },
        **recordings(rng, visits),
        "raters": pd.DataFrame(
            {
                "rater": RATERS[:n_raters],
                "n_visits": n_participants - 1,
                "n_items_missing": range(n_raters),
            }
        ),
    }
    return ReportData(**(fields | changes))


def scores(
    rng: np.random.Generator, targets: pd.DataFrame, visits: list[tuple[str, str]], n_raters: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw what each rater gave and what the model predicted."""
    scored, predicted = [], []
    latent = rng.normal(size=len(visits))
    for row in targets.to_dict("records"):
        span, middle = row["maximum"] - row["minimum"], (row["maximum"] + row["minimum"]) / 2
        strength = (
            0.9 if str(row["target"]).startswith(("N", "neg", "total", "marder_neg")) else 0.1
        )
        own = np.sqrt(1 - strength**2) * rng.normal(size=len(visits))
        truth = middle + 0.16 * span * (strength * latent + own)
        given = [np.round(truth + 0.05 * span * (rng.normal(size=len(visits)) + 0.4 * r))
                 for r in range(n_raters)]  # fmt: skip
        model = middle + 0.13 * span * (strength * latent + 0.35 * rng.normal(size=len(visits)))
        for rater, values in zip(RATERS, given, strict=False):
            scored += [
                (
                    p,
                    s,
                    rater,
                    row["target"],
                    row["kind"],
                    float(np.clip(v, row["minimum"], row["maximum"])),
                )
                for (p, s), v in zip(visits, values, strict=True)
            ]
        consensus = np.mean(given, axis=0)
        for name, values in (("ridge", model), ("mean", np.full(len(visits), consensus.mean()))):
            head = (row["target"], row["kind"], name)
            predicted += [
                (p, s, *head, o, v) for (p, s), o, v in zip(visits, consensus, values, strict=True)
            ]
    keys = ["participant", "session"]
    return (
        pd.DataFrame(scored, columns=[*keys, "rater", "target", "kind", "value"]),
        pd.DataFrame(
            predicted, columns=[*keys, "target", "kind", "model", "observed", "predicted"]
        ),
    )


def performance(predictions: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """Estimate performance, with intervals that only look like such."""
    rows = []
    for (target, kind, model), group in predictions.groupby(
        ["target", "kind", "model"], sort=False
    ):
        x, y = group["observed"].to_numpy(), group["predicted"].to_numpy()
        flat = np.ptp(x) == 0 or np.ptp(y) == 0
        pearson = np.nan if flat else float(np.corrcoef(x, y)[0, 1])
        ccc = (
            np.nan
            if flat
            else 2 * float(np.cov(x, y)[0, 1]) / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
        )
        values = {
            "mae": np.abs(x - y).mean(), "rmse": np.sqrt(((x - y) ** 2).mean()),
            "r2": 1 - ((x - y) ** 2).sum() / max(((x - x.mean()) ** 2).sum(), 1e-9),
            "bias": (x - y).mean(),
            "calibration_slope": pearson * x.std() / y.std() if not flat else np.nan,
            "calibration_intercept": 0.0,
            "pearson": pearson, "spearman": pearson, "ccc": ccc,
        }  # fmt: skip
        for metric, value in values.items():
            note = "undefined: the predictions are constant" if np.isnan(value) else ""
            spread = 0.2 * abs(value) + 0.05
            rows.append((target, kind, model, metric, value, value - spread, value + spread,
                         len(x), len(x), note))  # fmt: skip
    columns = ["target", "kind", "model", "metric", "value", "ci_low", "ci_high", "n_recordings",
               "n_participants", "note"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def recordings(rng: np.random.Generator, visits: list[tuple[str, str]]) -> dict[str, pd.DataFrame]:
    """Draw recordings, their quality and windows, the participants, and who was left out."""
    n = len(visits)
    ids = [f"sub-{p}_ses-{s}" for p, s in visits]
    persons = [p for p, _ in visits]
    excluded = [
        ("ingest", "recording", "lost.mp4", "the file is cut short"),
        ("ingest", "recording", "empty.mp4", "the file is empty"),
        ("encode", "recording", "sub-hidden_ses-01", "no face in any window"),
        ("fit", "recording", "sub-unrated_ses-01", "filmed and never rated"),
        ("fit", "target", "P5", "constant: every rating is 1"),
    ]
    flow = [("found", "", n + 4, n + 3), ("usable", "ingest", n + 2, n + 2),
            ("encoded", "encode", n + 1, n + 1), ("analysed", "fit", n, n)]  # fmt: skip
    return {
        "flow": pd.DataFrame(flow, columns=["step", "stage", "n_recordings", "n_participants"]),
        "exclusions": pd.DataFrame(excluded, columns=["stage", "unit", "id", "reason"]),
        "recordings": pd.DataFrame(
            {
                "recording": ids, "participant": persons, "session": "01",
                "duration_s": rng.uniform(500, 2400, n), "width": 1280, "height": 720,
                "fps_mean": rng.choice([25.0, 29.97], n), "variable_rate": rng.random(n) < 0.2,
                "row": range(1, n + 1),
            }
        ),
        "quality": pd.DataFrame(
            [
                (r, measure, rng.uniform(*ends), unit, "warn" if rng.random() < 0.1 else "ok", note)
                for r in ids
                for measure, unit, ends, note in (
                    ("brightness", "", (0.2, 0.8), "dark picture"),
                    ("face_size_px", "px", (60, 300), "small face"),
                    ("roll_deg", "degrees", (0, 20), "leaning head"),
                    ("face_sharpness", "grey levels²", (20, 500), "blurred face"),
                    ("frozen_fraction", "fraction", (0, 0.02), "frozen frames"),
                    ("longest_gap", "s", (0.04, 0.5), "the same picture"),
                )
            ],
            columns=["recording", "measure", "value", "unit", "flag", "note"],
        ),
        "segments": pd.DataFrame(
            {"recording": ids, "n_used": rng.integers(80, 400, n),
             "n_excluded": rng.integers(0, 9, n), "face_fraction_mean": rng.uniform(0.85, 1, n)}
        ),
        "participants": pd.DataFrame(
            {"participant": persons, "site": rng.choice(["A", "B"], n),
             "age": rng.integers(18, 65, n), "sex": rng.choice(["f", "m", ""], n)}
        ),
    }  # fmt: skip


METHODS = Methods(
    encoder="emoclip-demo",
    encoder_fingerprint="c1" * 32,
    n_features=512,
    frame_rate_hz=6.25,
    window_frames=32,
    window_stride_frames=32,
    face_finder="YuNet",
    face_minimum_fraction=0.5,
    pooling="mean and standard deviation",
    estimator="ridge regression",
    cv="repeated",
    folds=10,
    repeats=5,
    inner_folds=5,
    fit_resamples=2000,
    agree_resamples=2000,
    seed=20231025,
    device="a CPU",
    versions={"emoclip-clinic": "0.1.0", "numpy": "2.4.6", "scikit-learn": "1.9.0"},
    settings={"fit.cv": "repeated", "fit.folds": 10, "report.template": "cohort"},
)
