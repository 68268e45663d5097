"""What a sweep's file brings with it, objectives and datasets, on its way to the trials.

It travels by value: nodes need neither the file nor the folder that it lies in.
"""

from ray import cloudpickle

from ssmpe.data.datasets.registry import dataset, own_datasets
from ssmpe.errors import UserError, first_line
from ssmpe.own import modules_beside
from ssmpe.runner.cluster.release import own_objectives


def packed() -> bytes:
    """Return the user's own objectives and datasets of this process; b"" if there are none.

    Raises:
        UserError: one of them cannot be sent to other processes.
    """
    objectives, datasets = own_objectives(), own_datasets()
    if not objectives and not datasets:
        return b""
    views = [own.make_view for own in objectives if own.make_view]
    brought = [*(own.loss for own in objectives), *views, *datasets]
    beside = {module.__name__: module for found in brought for module in modules_beside(found)}
    for module in beside.values():
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps((objectives, datasets)))
    except Exception as error:  # of whatever the functions hold: an open file, a lock, ...
        names = ", ".join([o.name for o in objectives] + [d.name for d in datasets])
        raise UserError(
            f"{names}: cannot be sent to the trials' processes ({first_line(error)}): hold no open "
            "files, threads or the like outside of functions"
        ) from None
    finally:
        for module in beside.values():
            cloudpickle.unregister_pickle_by_value(module)


def unpack(given: bytes) -> None:
    """Bring into this process what another one has packed.

    Raises:
        UserError: it needs what is not installed here.
    """
    if not given:
        return
    try:
        objectives, datasets = cloudpickle.loads(given)
    except Exception as error:
        raise UserError(
            f"the objectives and datasets of the sweep's file cannot be loaded ({first_line(error)}"
            "); install what they import there, too"
        ) from None
    if objectives:
        from ssmpe.objectives import objective  # PyTorch with it, which the driver can do without

    for own in objectives:
        options = {"make_view": own.make_view, "on_content": own.on_content, "needs": own.needs}
        objective(own.name, own.loss, **options)
    for reader in datasets:
        code = reader.code
        dataset(reader).code = code  # of the file, which may not be here
