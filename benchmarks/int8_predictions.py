"""What int8 changes in the demonstration's predictions; prints JSON.

The synthetic study is encoded and fitted in fp32 and in int8, with the same folds. Changes of
out-of-fold predictions are in units of the SD of the score's observed values, over recordings and
scores; beside them is the SD of a prediction over the repeats of the cross-validation.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd

from emoclip_clinic import pipeline, predictions
from emoclip_clinic.demo.cohort import make_cohort
from emoclip_clinic.pipeline.demonstrating import SCALE, SETTINGS
from emoclip_clinic.study import Study

KEYS = ["recording", "target"]
FIT = replace(SETTINGS.fit, permutations=0, resamples=100)


def fitted(study: Study, precision: str) -> tuple[pd.DataFrame, pd.Series]:
    """Encode and fit: predictions by recording and target, and Pearson's r by target."""
    pipeline.encode(study, study.path / "interviews", precision=precision, device="cpu")
    pipeline.fit(study, SCALE)
    table = predictions.read_predictions(study.predictions_csv(SCALE))
    skill = pd.read_csv(study.model_dir(SCALE) / "performance.csv")
    ridge = skill[(skill["model"] == "ridge") & (skill["metric"] == "pearson")]
    return table[table["model"] == "ridge"].set_index(KEYS), ridge.set_index("target")["value"]


def main() -> None:
    """Print the largest and the mean change of predictions, and of r."""
    with tempfile.TemporaryDirectory() as folder:
        study = Study.create(Path(folder) / "demo", replace(SETTINGS, fit=FIT))
        make_cohort(study.path, seed=SETTINGS.study.seed)
        before, r_before = fitted(study, "fp32")
        after, r_after = fitted(study, "int8")
    sd = before.groupby("target")["observed"].std().reindex(before.index, level="target")
    changes = (after["predicted"] - before["predicted"]).abs() / sd
    of_r = (r_after - r_before).abs().dropna()
    worst = str(changes.idxmax()[1])
    result = {
        "n_recordings": before.index.get_level_values("recording").nunique(),
        "n_targets": len(r_before),
        "largest_change_sd": changes.max(),
        "changes_above_a_tenth_sd": float((changes > 0.1).mean()),
        "mean_change_sd": changes.mean(),
        "mean_sd_over_repeats_sd": (before["predicted_sd"] / sd).mean(),
        "largest_change_of_r": of_r.max(),
        "mean_change_of_r": of_r.mean(),
        "r": {
            name: {"fp32": r_before[name], "int8": r_after[name], "largest_change_sd": largest}
            for name, largest in changes.groupby("target").max().items()
            if name in {"N1", "negative", "total", worst, of_r.idxmax()}
        },
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
