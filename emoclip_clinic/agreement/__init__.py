"""Agreement of raters among themselves and of a model with them, every statistic with interval."""

from __future__ import annotations

from emoclip_clinic.agreement.categorical import fleiss_kappa, gwet_ac, kappa, krippendorff_alpha
from emoclip_clinic.agreement.concordance import ccc, mae, pearson, spearman
from emoclip_clinic.agreement.limits import bland_altman
from emoclip_clinic.agreement.reliability import icc
from emoclip_clinic.agreement.summary import agree

__all__ = [
    "agree",
    "bland_altman",
    "ccc",
    "fleiss_kappa",
    "gwet_ac",
    "icc",
    "kappa",
    "krippendorff_alpha",
    "mae",
    "pearson",
    "spearman",
]
