"""A checkpoint's folder as an MLflow model: ``mlflow.pyfunc.load_model("runs:/RUN/…")``."""

from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

LOADER = "ssmpe.pyfunc"
"""Name of the module by which MLflow loads a model; stored models hold it"""
FILES = ("MLmodel", "requirements.txt")
"""Names of the files that stand beside the weights"""


def describe(folder: Path) -> list[Path]:
    """Write what makes a folder with a trial's best weights a model, and return these files.

    The weights stay as they are. Requirements are this project's, in the versions that run now; the
    package itself is not among them, since no index has it.
    """
    from mlflow.models import Model, ModelSignature
    from mlflow.pyfunc import FLAVOR_NAME
    from mlflow.types.schema import Array, ColSpec, DataType, ParamSchema, ParamSpec, Schema

    pitches: list[Any] = [
        ColSpec(Array(DataType.double), "times"),
        ColSpec(Array(Array(DataType.double)), "f0s"),
    ]
    threshold = ParamSchema([ParamSpec("threshold", DataType.double, None)])
    signature = ModelSignature(Schema([ColSpec(DataType.string)]), Schema(pitches), threshold)
    model = Model(signature=signature, model_uuid=None)
    model.add_flavor(FLAVOR_NAME, loader_module=LOADER, env={"virtualenv": "requirements.txt"})
    paths = [folder / name for name in FILES]
    model.save(str(paths[0]))
    paths[1].write_text("".join(f"{pin}\n" for pin in _pins()))
    return paths


def _pins() -> list[str]:
    """Return the packages that this project needs to run, each as "name==version"."""
    needed = [text for text in requires("ssmpe") or [] if "extra ==" not in text]
    names = [_name(text) for text in needed]
    # "+cpu" tells builds apart, not releases
    return [f"{name}=={version(name).partition('+')[0]}" for name in names]


def _name(requirement: str) -> str:
    """Return the name of a package that is required, as "ray" of "ray[tune]>=2.60"."""
    stop = next(i for i, c in enumerate(requirement + " ") if not (c.isalnum() or c in "_.-"))
    return requirement[:stop]
