"""``ssmpe ui``: MLflow's pages, with everything set, and the link to a sweep's view."""

import argparse
import os
import socket
import subprocess

from rich.console import Console

from ssmpe.console import printable
from ssmpe.errors import UserError
from ssmpe.experiments.options import RESULTS
from ssmpe.tracking.sqlite import local_uri
from ssmpe.tracking.ui import HOST, PORT, SETTINGS, is_server, server_arguments, view_url


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("sweep", nargs="?", metavar="SWEEP", help="default: the latest")
    parser.add_argument(
        "--tracking-uri", metavar="URI", help="MLflow store (default: below ./results)"
    )
    parser.add_argument(
        "--port", type=int, default=PORT, metavar="N", help=f"on this machine (default: {PORT})"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace, console: Console) -> int:
    """Print the link to the view of a sweep, and start the server behind it unless there is one.

    Raises:
        UserError: there is no such store or sweep, or the port is in use.
    """
    from ssmpe.tracking.stored.store import find_sweep

    uri = given.tracking_uri or local_uri(RESULTS)
    sweep, experiment = find_sweep(uri, given.sweep)
    place = uri if is_server(uri) else f"http://{HOST}:{given.port}"
    if not is_server(uri):
        _require_free(given.port)
    console.print(printable(f"{sweep}: {view_url(place, experiment, sweep)}"), soft_wrap=True)
    if is_server(uri):
        return 0
    console.print("starting MLflow; Ctrl-C ends it")
    command = server_arguments(uri, given.port)
    return subprocess.run(command, env={**os.environ, **SETTINGS}).returncode


def _require_free(port: int) -> None:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"--port {port}: cannot be used ({reason}): give another") from None
