"""How to look at a sweep in MLflow's web interface."""

import shlex
import shutil
import sys
from urllib.parse import urlencode

from ssmpe.tracking import schema
from ssmpe.tracking.runs import quoted

HOST, PORT = "127.0.0.1", 5000
"""Where the server listens that ``ui_command`` starts: on this machine only"""
SETTINGS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Its environment: by default it would start a job runner, which takes its memory"""


def ui_command(uri: str) -> str:
    """Return the shell command that opens MLflow's interface on a store.

    For a store that is a server the interface is there already: the command opens a browser.
    """
    if is_server(uri):
        return f"python -m webbrowser {shlex.quote(uri)}"
    command = server_arguments(uri, PORT)
    if shutil.which("mlflow"):
        command[:3] = ["mlflow"]
    return " ".join([*(f"{k}={v}" for k, v in SETTINGS.items()), shlex.join(command)])


def server_arguments(uri: str, port: int) -> list[str]:
    """Return the words of the command that starts MLflow's interface, given ``SETTINGS``."""
    # by default it would start four workers, of which each takes its memory
    where = ["--workers", "1", "--host", HOST, "--port", str(port)]
    return [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, *where]


def is_server(uri: str) -> bool:
    """Tell whether a store is a server, which has the interface already."""
    return uri.startswith(("http://", "https://"))


def run_url(uri: str, experiment_id: str, sweep: str) -> str:
    """Return the link to the curves of a sweep's trials, next to each other, by row.

    The interface's front page would open in a mode without training runs, and the experiment's
    with all trials hidden under the sweep. Asked for an order other than by date, it lists the
    trials themselves.
    """
    query = urlencode(
        {
            "workflowType": "machine_learning",
            "compareRunsMode": "CHART",
            "orderByKey": f"tags.`{schema.ORDER}`",
            "orderByAsc": "true",
            "searchFilter": filter_of(sweep),
        }
    )
    return f"{_server(uri)}/#/experiments/{experiment_id}/runs?{query}"


def view_url(uri: str, experiment_id: str, sweep: str) -> str:
    """Return the link to the view of a sweep that is saved in the store."""
    query = urlencode(
        {
            "workflowType": "machine_learning",
            "compareRunsMode": "CHART",
            "viewStateShareKey": sweep,
        }
    )
    return f"{_server(uri)}/#/experiments/{experiment_id}/runs?{query}"


def filter_of(sweep: str) -> str:
    """Return the search by which a sweep's trials are found."""
    kind = f"tags.`{schema.KIND}` = '{schema.KIND_TRIAL}'"
    return f"tags.`{schema.SWEEP}` = {quoted(sweep)} and {kind}"


def trial_url(uri: str, experiment_id: str, run_id: str) -> str:
    """Return the link to the page of one run, a trial's or a sweep's own."""
    return f"{_server(uri)}/#/experiments/{experiment_id}/runs/{run_id}"


def _server(uri: str) -> str:
    """Return the address of the interface: the store's, or that which ``ui_command`` starts."""
    return uri.rstrip("/") if is_server(uri) else f"http://{HOST}:{PORT}"
