"""Time a large cohort's report: 200 participants, all targets of PANSS, 4 raters, every section.

Run from the repository as `python -m benchmarks.report_speed`; prints JSON.
"""

from __future__ import annotations

import io
import json
import time

from pypdf import PdfReader

from emoclip_clinic.report import build, load_template
from tests.report_data import report_data

LIMIT_S = 15.0
REPEATS = 3


def main() -> None:
    data = report_data(200, 4)
    template = load_template()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        pdf = build(data, template)
        seconds.append(time.perf_counter() - start)
    result = {
        "claim": f"the report of 200 participants, {len(data.targets)} targets and 4 raters, with "
        f"every section, in under {LIMIT_S:g} s",
        "seconds": min(seconds),
        "limit_s": LIMIT_S,
        "holds": min(seconds) < LIMIT_S,
        "pages": len(PdfReader(io.BytesIO(pdf)).pages),
        "bytes": len(pdf),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
