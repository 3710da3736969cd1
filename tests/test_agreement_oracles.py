"""What R's psych, vcd and epiR say of 200 random designs: see oracles/README.md."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic.agreement import ccc, icc, kappa

CLOSE = {"rel": 1e-6, "abs": 1e-6}


@pytest.fixture(scope="module")
def designs() -> list[dict[str, Any]]:
    file = Path(__file__).parent / "oracles" / "agreement.json.gz"
    found: list[dict[str, Any]] = json.loads(gzip.decompress(file.read_bytes()))["designs"]
    for design in found:
        design["scores"] = np.array(design["scores"], dtype=float)
    return found


def tidy(scores: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame(scores).rename_axis("subject").reset_index()
    return table.melt("subject", var_name="rater", value_name="value")


def test_icc_and_its_intervals_are_those_of_psych(designs: list[dict[str, Any]]) -> None:
    """All six forms. Where ours are undefined, or have no end, R's miss their own estimate."""
    compared = 0
    for design in designs:
        found = icc(tidy(design["scores"]))
        for row, value, low, high in zip(
            found.to_dict("records"), *design["icc"].values(), strict=True
        ):
            if np.isnan(row["value"]):
                # a mean of raters who disagree more than by chance
                assert value > 1 or value < -1e6 or low > high
                continue
            assert row["value"] == pytest.approx(value, **CLOSE)
            for ours, theirs in ((row["ci_low"], low), (row["ci_high"], high)):
                if np.isnan(ours):
                    assert row["note"]
                else:
                    compared += 1
                    assert ours == pytest.approx(theirs, **CLOSE)
    assert compared > 0.95 * 2 * 6 * len(designs)


def test_kappas_are_those_of_vcd_and_psych(designs: list[dict[str, Any]]) -> None:
    """Unweighted, linear and quadratic, of the first two raters."""
    for design in designs:
        pair, known = tidy(design["scores"][:, :2]), design["kappa"]
        ours = {
            name: kappa(pair, weights).value[0]
            for name, weights in (("unweighted", None), ("linear", "linear"))
        }
        assert ours == pytest.approx({name: known[name] for name in ours}, **CLOSE)
        quadratic = kappa(pair, "quadratic").value[0]
        assert quadratic == pytest.approx(known["quadratic"], **CLOSE)
        assert quadratic == pytest.approx(known["psych_quadratic"], **CLOSE)
        assert ours["unweighted"] == pytest.approx(known["psych"], **CLOSE)


def test_ccc_and_its_interval_are_those_of_epir(designs: list[dict[str, Any]]) -> None:
    """Lin's, on Fisher's scale, of the first two raters."""
    for design in designs:
        (row,) = ccc(*design["scores"][:, :2].T).to_dict("records")
        known = design["ccc"]
        assert row["value"] == pytest.approx(known["value"], **CLOSE)
        if known["low"] is None or known["value"] > 1 - 1e-12:
            # perfect agreement has no interval; R has none at 0 either, where it divides by r
            assert row["value"] == pytest.approx(round(row["value"]))
            continue
        assert row["ci_low"] == pytest.approx(known["low"], **CLOSE)
        assert row["ci_high"] == pytest.approx(known["high"], **CLOSE)
