"""Google Cloud on loopback: as much of its API as starting machines takes, behind its own names."""

import json
import os
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

_REDIRECT = """
import os, socket
find, join = socket.getaddrinfo, socket.socket.connect
def here(host, port):
    google = str(host).endswith(".googleapis.com")
    return ("127.0.0.1", int(os.environ["GOOGLE_PORT"])) if google else (host, port)
socket.getaddrinfo = lambda host, port, *rest, **others: find(*here(host, port), *rest, **others)
socket.socket.connect = lambda self, to: join(self, here(*to) if len(to) == 2 else to)
"""
"""For a child process: Google's names lead to this machine."""


def _key(path: Path) -> rsa.RSAPrivateKey:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path.write_bytes(text)
    return key


def _certificate(key: rsa.RSAPrivateKey, path: Path) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    names = x509.SubjectAlternativeName([x509.DNSName("*.googleapis.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))


class _Api(BaseHTTPRequestHandler):
    machines: ClassVar[dict[str, dict[str, Any]]]
    asked: ClassVar[list[str]]

    def _answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path.endswith("/allowedLocations"):
            return {"encodedLocations": "0x0", "locations": []}
        if "/serviceAccounts/" in path:
            email = unquote(path.rsplit("/", 1)[1])
            return {"email": email, "name": path, "projectId": "my-project"}
        if path.endswith("/instances") and self.command == "POST":
            addresses = {"networkIP": "10.0.0.2", "accessConfigs": [{"natIP": "192.0.2.1"}]}
            given = body["networkInterfaces"][0]
            running = {"status": "RUNNING", "labelFingerprint": "0", "requested": body}
            self.machines[body["name"]] = {
                **body,
                **running,
                "networkInterfaces": [{**given, **addresses}],
            }
        elif path.endswith("/instances"):
            return {"items": list(self.machines.values())}
        elif found := re.search(r"/instances/([^/]+)(/setLabels)?$", path):
            machine = self.machines[found[1]]
            machine.update({"labels": body["labels"]} if found[2] else {})
            return machine if not found[2] else {"name": "done"}
        # a project, its policy, its metadata, or an operation that has ended
        return {
            "projectId": "my-project",
            "lifecycleState": "ACTIVE",
            "commonInstanceMetadata": {"items": []},
            "bindings": [],
            "name": "done",
            "status": "DONE",
        }

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        self.asked.append(f"{self.command} {self.headers['Host']}{path}")
        token = {"access_token": "x", "expires_in": 3600, "token_type": "Bearer"}
        answer = token if path == "/token" else self._answer(path, json.loads(body or b"{}"))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    do_GET = do_POST = _serve  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def google(folder: Path) -> Iterator[tuple[dict[str, str], dict[str, dict[str, Any]], list[str]]]:
    """Return a user's environment, the machines that are started, and what is asked, in order."""
    _certificate(_key(folder / "key.pem"), folder / "certificate.pem")
    (folder / "sitecustomize.py").write_text(_REDIRECT)

    class Handler(_Api):
        machines: ClassVar = {}
        asked: ClassVar = []

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        account = {
            "type": "service_account",
            "private_key_id": "0",
            "private_key": (folder / "key.pem").read_text(),
            "client_email": "me@my-project.iam.gserviceaccount.com",
            "token_uri": "https://oauth2.googleapis.com/token",
        }
        (folder / "account.json").write_text(json.dumps(account))
        environment = {
            "GOOGLE_APPLICATION_CREDENTIALS": str(folder / "account.json"),
            "GOOGLE_PORT": str(server.server_port),
            "HTTPLIB2_CA_CERTS": str(folder / "certificate.pem"),
            "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]),
        }
        yield environment, Handler.machines, Handler.asked
        server.shutdown()
