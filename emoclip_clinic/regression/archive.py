"""A fitted model as files: the regressions in a skops archive, the facts beside it in JSON."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.files import sha256_bytes, write_bytes, write_json
from emoclip_clinic.regression.estimators import KINDS
from emoclip_clinic.regression.fitted import Features, FittedModel, TargetFacts

__all__ = ["FILES", "load", "save"]

FILES = ("model.skops", "model.json")
"""What `save` writes: the regressions, and the facts about them."""
# an archive with anything beyond these, numpy and scikit-learn is not opened
TRUSTED = [f"{kind.__module__}.{kind.__qualname__}" for kind in KINDS]
# the earliest time a zip archive can hold: equal models are equal bytes
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def save(model: FittedModel, folder: Path) -> None:
    """Write `FILES` into the folder; equal models give equal bytes."""
    # here and in `load`, because importing skops takes as long as all else that `fit` imports
    import skops.io

    content = [{"targets": list(names), "model": fitted} for names, fitted in model.regressions]
    archive = _canonical(skops.io.dumps(content))
    write_bytes(folder / FILES[0], archive)
    write_json(folder / FILES[1], {**model.facts(), "sha256": sha256_bytes(archive)})


def _canonical(archive: bytes) -> bytes:
    """Make a skops archive a function of its content alone.

    skops names objects by their memory address and zip stamps the time: number them instead, in
    order of appearance, at one time.
    """
    numbers: dict[int, int] = {}
    renamed = {}

    def renumber(node: dict[str, Any]) -> dict[str, Any]:
        if "__loader__" in node and "__id__" in node:
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers))
            if "file" in node:
                renamed[node["file"]] = f"{node['__id__']}{Path(node['file']).suffix}"
                node["file"] = renamed[node["file"]]
        return node

    output = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(output, "w") as new:
        schema = json.loads(old.read("schema.json"), object_hook=renumber)
        for name, stored in renamed.items():
            new.writestr(zipfile.ZipInfo(stored, ZIP_EPOCH), old.read(name))
        new.writestr(zipfile.ZipInfo("schema.json", ZIP_EPOCH), json.dumps(schema))
    return output.getvalue()


def load(folder: Path) -> FittedModel:
    """Read a saved model; nothing but numpy, scikit-learn and this package's classes is made.

    Raises
    ------
    ClinicError
        A file is absent or damaged, does not belong to the other, or holds anything else.
    """
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    archive_path, facts_path = (folder / name for name in FILES)
    again = "Fit the model again, or copy the whole folder again."
    try:
        archive, facts = archive_path.read_bytes(), json.loads(facts_path.read_bytes())
        if facts.pop("sha256") != sha256_bytes(archive):
            raise ClinicError(f"{archive_path} is not the file that {FILES[1]} describes. {again}")
        return _model(facts, skops.io.loads(archive, trusted=TRUSTED))
    except UntrustedTypesFoundException as error:
        raise ClinicError(
            f"{archive_path} holds code that is not of this package and was not opened ({error}). "
            "Use models from 'emoclip-clinic fit' only."
        ) from error
    except OSError as error:
        raise ClinicError(f"{folder}: no model can be read ({error.strerror}). {again}") from error
    except (ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise ClinicError(f"{folder} does not hold a model of this package. {again}") from error


def _model(facts: dict[str, Any], content: list[dict[str, Any]]) -> FittedModel:
    facts["features"] = Features(**facts["features"])
    facts["targets"] = [TargetFacts(**target) for target in facts["targets"]]
    for name in ("feature_names", "targets", "training"):
        facts[name] = tuple(facts[name])
    if not all(isinstance(part["model"], KINDS) for part in content):
        raise TypeError("a regression is not of a known kind")
    regressions = tuple((tuple(part["targets"]), part["model"]) for part in content)
    return FittedModel(**facts, regressions=regressions)
