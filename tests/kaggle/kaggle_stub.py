"""A small stand-in for Kaggle's API on loopback, for the real command line to talk to.

``KAGGLE_API_ENVIRONMENT=LOCALHOST`` makes the command line call http://localhost, and ``http_proxy`` brings that here.
It keeps what arrives to the byte, answers as Kaggle does, and can be told to fail.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

USER = "ada"
KEY = "0123456789abcdef0123456789abcdef"
TOKEN = "a-token-of-ada"
DAY = formatdate(1_700_000_000, usegmt=True)


@dataclass
class Fault:
    """Something that goes wrong: for so many requests of a method, the answer is made by ``act``."""

    method: str
    act: Callable[[Handler], None]
    times: int = 1


@dataclass
class Dataset:
    """A dataset: how it was created, and the files of each version."""

    created: dict[str, Any]
    versions: list[dict[str, bytes]]
    notes: list[str] = field(default_factory=list)
    polls_until_ready: int = 1


@dataclass
class Kernel:
    """A notebook: what was sent, its statuses in turn (the last stays), and the files that it left."""

    pushes: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[str] = field(default_factory=lambda: ["QUEUED", "RUNNING", "COMPLETE"])
    message: str = ""
    outputs: dict[str, bytes] = field(default_factory=dict)
    log: str = ""


class Stub:
    """The state of the stand-in, and its server."""

    def __init__(self) -> None:
        self.datasets: dict[str, Dataset] = {}
        self.kernels: dict[str, Kernel] = {}
        self.blobs: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.ranges: list[str] = []
        self.errors: list[str] = []
        self.faults: list[Fault] = []
        self.invalid_sources: list[str] = []
        self.taken: set[str] = set()
        self.page_size: int | None = None
        self.lock = threading.RLock()
        self.released = threading.Event()
        stub = self

        class Bound(Handler):
            api = stub

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                error = sys.exc_info()[1]
                if not isinstance(error, OSError):  # that the other side has gone, or a cut of one's own, is no error
                    stub.errors.append(repr(error))

        self.server = Server(("127.0.0.1", 0), Bound)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def environment(self, home: Path) -> dict[str, str]:
        """What the command line's environment needs to come here, with nothing of the user's own."""
        return {
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "http_proxy": f"http://127.0.0.1:{self.server.server_address[1]}",
            "HTTP_PROXY": "",
            "no_proxy": "",
            "NO_PROXY": "",
            "HOME": str(home),
            "TMPDIR": str(home),
        }

    def count(self, method: str) -> int:
        return self.requests.count(method)

    def serve(self, folder: Path, kernel: str, log: str = "") -> Kernel:
        """Let a notebook have left what is in a folder."""
        found = self.kernels.setdefault(kernel, Kernel())
        found.outputs = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        found.log = log
        return found


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    api: Stub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(content, bytes) else "application/json"
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, message: str) -> None:
        """Answer as Kaggle's API does when it refuses."""
        self.answer({"code": status, "message": message}, status)

    def cut(self) -> None:
        """Close the connection without an answer."""
        self.close_connection = True
        self.connection.close()

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def faulty(self, method: str) -> bool:
        """Whether this request is to fail, which it then has."""
        with self.api.lock:
            self.api.requests.append(method)
            fault = next((f for f in self.api.faults if f.method == method and f.times > 0), None)
            if fault is None:
                return False
            fault.times -= 1
        fault.act(self)
        return True

    def authorized(self) -> bool:
        basic = "Basic " + base64.b64encode(f"{USER}:{KEY}".encode()).decode()
        return self.headers.get("Authorization") in (basic, f"Bearer {TOKEN}")

    def do_POST(self) -> None:
        method = self.path.rpartition("/")[2]
        request = json.loads(self.body() or b"{}")
        if self.faulty(method):
            return
        if method == "IntrospectToken":
            if request["token"] == TOKEN:
                self.answer({"active": True, "username": USER})
            else:
                self.refuse(404, "Not found")
        elif not self.authorized():
            self.refuse(401, "Unauthenticated")
        else:
            with self.api.lock:
                getattr(self, re.sub(r"(?<!^)([A-Z])", r"_\1", method).lower())(request)

    def get_dataset_status(self, request: dict[str, Any]) -> None:
        found = self.api.datasets.get(f"{request['ownerSlug']}/{request['datasetSlug']}")
        if found is None:
            self.refuse(403, "Permission 'datasets.get' was denied")
            return
        found.polls_until_ready -= 1
        self.answer({"status": "READY" if found.polls_until_ready < 0 else "BLOBS_RECEIVED"})

    def get_dataset(self, request: dict[str, Any]) -> None:
        found = self.api.datasets[f"{request['ownerSlug']}/{request['datasetSlug']}"]
        self.answer({"currentVersionNumber": len(found.versions)})

    def list_dataset_files(self, request: dict[str, Any]) -> None:
        files = sorted(self.api.datasets[f"{request['ownerSlug']}/{request['datasetSlug']}"].versions[-1].items())
        rows = [
            {"name": name, "totalBytes": len(content), "creationDate": "2026-01-01T00:00:00Z"}
            for name, content in files
        ]
        size = min(self.api.page_size or 10**6, request.get("pageSize", 20))
        start = int(request.get("pageToken") or 0)
        token = str(start + size) if start + size < len(rows) else ""
        self.answer({"datasetFiles": rows[start : start + size], "nextPageToken": token})

    def create_dataset(self, request: dict[str, Any]) -> None:
        name = f"{request['ownerSlug']}/{request['slug']}"
        if request["slug"] in self.api.taken:
            error = (
                f'The requested title "{request["title"]}" is already in use by a dataset. Please choose another title.'
            )
            self.answer({"status": "error", "error": error})
            return
        self.api.datasets[name] = Dataset(request, [self.files(request.get("files", []))])
        self.answer({"status": "ok", "url": f"http://localhost/datasets/{name}"})

    def create_dataset_version(self, request: dict[str, Any]) -> None:
        name = f"{request['ownerSlug']}/{request['datasetSlug']}"
        found = self.api.datasets[name]
        found.versions.append(self.files(request["body"].get("files", [])))
        found.notes.append(request["body"]["versionNotes"])
        found.polls_until_ready = 1
        self.answer({"status": "ok", "url": f"http://localhost/datasets/{name}"})

    def files(self, rows: list[dict[str, Any]]) -> dict[str, bytes]:
        """What was uploaded under these tokens; only what has arrived whole has one."""
        found = {}
        for row in rows:
            blob = self.api.blobs[row["token"]]
            assert len(blob["data"]) == blob["size"], blob["name"]
            found[blob["name"]] = bytes(blob["data"])
        return found

    def start_blob_upload(self, request: dict[str, Any]) -> None:
        token = f"blob-{len(self.api.blobs)}"
        self.api.blobs[token] = {"name": request["name"], "size": request["contentLength"], "data": bytearray()}
        self.answer({"token": token, "createUrl": f"http://localhost/upload/{token}"})

    def do_PUT(self) -> None:
        blob = self.api.blobs[self.path.rpartition("/")[2]]
        given = self.headers.get("Content-Range")
        if given:
            self.api.ranges.append(given)
        if given and given.startswith("bytes */"):  # how much is there?
            self.body()
            if len(blob["data"]) == blob["size"]:
                self.answer(b"")
            else:
                reach = {"Range": f"bytes=0-{len(blob['data']) - 1}"} if blob["data"] else {}
                self.answer(b"", 308, reach)
            return
        start = int(re.match(r"bytes (\d+)-", given)[1]) if given else 0
        del blob["data"][start:]
        self.blob = blob
        if self.faulty("upload"):
            return
        blob["data"] += self.body()
        self.answer(b"", 201)

    def half(self) -> None:
        """Take half of what is uploaded."""
        self.blob["data"] += self.rfile.read(int(self.headers["Content-Length"]) // 2)

    def save_kernel(self, request: dict[str, Any]) -> None:
        kernel = self.api.kernels.setdefault(request["slug"], Kernel())
        kernel.pushes.append(request)
        self.answer(
            {
                "versionNumber": len(kernel.pushes),
                "url": f"http://localhost/code/{request['slug']}",
                "invalidDatasetSources": self.api.invalid_sources,
            }
        )

    def get_kernel_session_status(self, request: dict[str, Any]) -> None:
        kernel = self.api.kernels.get(f"{request['userName']}/{request['kernelSlug']}")
        if kernel is None:
            self.refuse(403, "Permission 'kernels.get' was denied")
            return
        status = kernel.statuses.pop(0) if len(kernel.statuses) > 1 else kernel.statuses[0]
        self.answer({"status": status, "failureMessage": kernel.message if status == "ERROR" else ""})

    def list_kernel_session_output(self, request: dict[str, Any]) -> None:
        name = f"{request['userName']}/{request['kernelSlug']}"
        kernel = self.api.kernels[name]
        names = sorted(kernel.outputs)
        size = min(self.api.page_size or 10**6, request.get("pageSize", 20))
        start = int(request.get("pageToken") or 0)
        self.answer(
            {
                "files": [
                    {"url": f"http://localhost/output/{name}/{file}", "fileName": file}
                    for file in names[start : start + size]
                ],
                "nextPageToken": str(start + size) if start + size < len(names) else "",
                "log": kernel.log,
            }
        )

    def do_GET(self) -> None:
        owner, slug, file = self.path.partition("/output/")[2].split("/", 2)
        self.file = self.api.kernels[f"{owner}/{slug}"].outputs[file]
        if not self.faulty(f"output:{file.rpartition('/')[2]}"):
            self.answer(self.file, headers={"Last-Modified": DAY})
