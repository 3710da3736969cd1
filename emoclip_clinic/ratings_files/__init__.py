"""Rating sheets from where researchers have them: CSV, Excel, SPSS, REDCap, BIDS.

Every reader makes a `Sheet`, so that one path of checking serves all of them. What a file, or the
dictionary beside it, says of its columns goes along and is compared with the scale.
"""

from __future__ import annotations

from emoclip_clinic.ratings_files.reading import read, sidecars
from emoclip_clinic.ratings_files.workbook import write_template

__all__ = ["read", "sidecars", "write_template"]
