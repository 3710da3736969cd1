"""A fitted model as files: the regressions in a skops archive, the facts beside it in JSON."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.files import sha256_bytes, write_bytes, write_json
from emoclip_clinic.regression import estimators
from emoclip_clinic.regression.fitted import Features, FittedModel, Regression, TargetFacts
from emoclip_clinic.regression.folds import Design
from emoclip_clinic.regression.novelty import Novelty
from emoclip_clinic.regression.recipes import TRUSTED_CLASSES, Recipe, RecipeModel

__all__ = ["FILES", "load", "save"]

FILES = ("model.skops", "model.json")
"""What `save` writes: what was learnt, and the facts about it."""
# an archive with anything beyond these, numpy and scikit-learn is not opened
OWN = (Novelty, *TRUSTED_CLASSES, *estimators.KINDS)
TRUSTED = [f"{kind.__module__}.{kind.__qualname__}" for kind in OWN]
# what a Gaussian process is made of, by scikit-learn and plain numbers
KERNELS = ("ConstantKernel", "Product", "RBF", "Sum", "WhiteKernel")
TRUSTED += [f"sklearn.gaussian_process.kernels.{name}" for name in KERNELS]
# the earliest time a zip archive can hold: equal models are equal bytes
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def save(model: FittedModel, folder: Path, card: Mapping[str, Any] | None = None) -> str:
    """Write `FILES` into the folder; equal models give equal bytes.

    Parameters
    ----------
    model
        From `fit_model`.
    folder
        Such as models/panss.
    card
        What `card.facts` says of it, for model.json.

    Returns
    -------
    str
        SHA-256 of the archive.
    """
    # here and in `load`, because importing skops takes as long as all else that `fit` imports
    import skops.io

    regressions = [
        {field.name: getattr(part, field.name) for field in fields(part)}
        for part in model.regressions
    ]
    facts = model.facts()
    # the archive vouches for the facts, and its digest, which the facts' file has, for the archive
    learnt = {"regressions": regressions, "novelty": model.novelty, "facts": _digest(facts)}
    archive = _canonical(skops.io.dumps(learnt))
    digest = sha256_bytes(archive)
    write_bytes(folder / FILES[0], archive)
    write_json(folder / FILES[1], {**facts, "card": card or {}, "sha256": digest})
    return digest


def _digest(facts: Mapping[str, Any]) -> str:
    return sha256_bytes(json.dumps(facts, sort_keys=True).encode())


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
        del facts["card"]
        if facts.pop("sha256") != sha256_bytes(archive):
            raise ClinicError(f"{archive_path} is not the file that {FILES[1]} describes. {again}")
        learnt = skops.io.loads(archive, trusted=TRUSTED)
        if learnt["facts"] != _digest(facts):
            raise ClinicError(f"{facts_path} was changed after it was written. {again}")
        return _model(facts, learnt)
    except UntrustedTypesFoundException as error:
        raise ClinicError(
            f"{archive_path} holds code that is not of this package and was not opened ({error}). "
            "Use models from 'emoclip-clinic fit' only."
        ) from error
    except OSError as error:
        raise ClinicError(f"{folder}: no model can be read ({error.strerror}). {again}") from error
    except (ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise ClinicError(f"{folder} does not hold a model of this package. {again}") from error


def _model(facts: dict[str, Any], content: dict[str, Any]) -> FittedModel:
    for name, kind in (("recipe", Recipe), ("features", Features), ("design", Design)):
        facts[name] = kind(**facts[name])
    facts["targets"] = [TargetFacts(**target) for target in facts["targets"]]
    for name in ("feature_names", "covariates", "targets", "training"):
        facts[name] = tuple(facts[name])
    regressions = tuple(Regression(**part) for part in content["regressions"])
    models = [model for part in regressions for model in (part.model, *part.folds)]
    if not all(isinstance(model, RecipeModel) for model in models):
        raise TypeError("a regression is not of a known kind")
    if not isinstance(content["novelty"], Novelty):
        raise TypeError("the novelty is not of the known kind")
    return FittedModel(**facts, regressions=regressions, novelty=content["novelty"])
