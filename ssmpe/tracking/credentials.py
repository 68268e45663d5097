"""Credentials have no place in addresses, which end up in plans, parameters, logs and reports.

Every option that takes an address goes through ``refuse_credentials`` before anything else is done
with it, and so before it is shown.
"""

import re
from urllib.parse import parse_qsl

from ssmpe.errors import UserError

_SERVER = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
_GOOGLE = "GOOGLE_APPLICATION_CREDENTIALS, or use the service account of the machine"
_INSTEAD = {
    "http": _SERVER,
    "https": _SERVER,
    "postgresql": "PGPASSWORD, or write them into ~/.pgpass",
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use the role of the machine",
    "gs": _GOOGLE,
    "gcs": _GOOGLE,
    "abfs": "AZURE_STORAGE_ACCOUNT_KEY, or use the identity of the machine",
    "ray": "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN",
}
"""Variables of the environment to set, by the scheme of the address"""
_ELSEWHERE = "what the driver of the database reads, or report to a tracking server that has it"

_BEFORE_HOST = re.compile(r"://[^/@?#]*:[^@]*@")
"""Credentials as databases and object stores read them: a password may hold anything but an @"""
_BEFORE_SERVER = re.compile(r"://[^/?#]*@")
"""Credentials as servers read them: a name alone may be a token"""
_SECRET_KEY = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)
"""Words by which a part of the query is known to be secret"""


def refuse_credentials(what: str, uri: str) -> None:
    """Check that an address holds no password, token or key.

    Args:
        what: option that gave it, for the message.

    Raises:
        UserError: it does; says where they are to be given instead, and shows none of them.
    """
    scheme = re.split(r"[+:]", uri.lower(), maxsplit=1)[0]
    pattern = _BEFORE_SERVER if scheme in ("http", "https") else _BEFORE_HOST
    query = parse_qsl(uri.partition("?")[2])
    if pattern.search(uri) or any(_SECRET_KEY.search(key) for key, _ in query):
        raise UserError(
            f"{what} {masked(uri)}: credentials do not belong into an address, which is stored and "
            f"shown: leave them out, and set {_INSTEAD.get(scheme, _ELSEWHERE)}"
        )


def masked(uri: str) -> str:
    """Return an address to be shown: without what stands before the host, and without its query."""
    return re.sub(r"\?.*", "?***", re.sub(r"://.*@", "://***@", uri, flags=re.S), flags=re.S)
