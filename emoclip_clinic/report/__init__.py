"""Reports: a cohort's tables and texts as a PDF that can be circulated."""

from __future__ import annotations

from emoclip_clinic.report.data import Methods, ReportData
from emoclip_clinic.report.pdf import build, make
from emoclip_clinic.report.person import Person
from emoclip_clinic.report.spec import Template, load_template

__all__ = ["Methods", "Person", "ReportData", "Template", "build", "load_template", "make"]
