"""A CRDS server that misbehaves as it is told, on this machine."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Answering(BaseHTTPRequestHandler):
    """Gives good answers, or what is wrong with them by the methods below."""

    fake: Fake

    def do_GET(self):
        self._answer(self.path.rpartition("/")[2])

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(self.path.split("/")[2])

    def log_message(self, *_):
        pass

    def _answer(self, name: str):
        self.fake.asked.append(name)
        good = self.fake.contents.get(name) or self.fake.result(name)
        faults = self.fake.faults.get(name)
        if faults:
            kind, *arguments = faults.pop(0)
            (kind if callable(kind) else getattr(type(self), kind))(self, good, *arguments)
        elif good is None:
            self.status(good, 404)
        else:
            self.says(good, good)

    def says(self, good: bytes, body: bytes, length: int | None = None, code: int = 200):
        self.send_response(code)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def status(self, good, code: int):
        self.says(b"", b"<html><body>something is wrong</body></html>", code=code)

    def half(self, good: bytes):
        self.says(good, good[: len(good) // 2], len(good))

    def reset(self, good: bytes):
        self.half(good)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()

    def shorter(self, good: bytes):
        """Less than the list says, and says so."""
        self.says(good, good[:-1])

    def longer(self, good: bytes):
        self.says(good, good + b"more")

    def other(self, good: bytes):
        self.says(good, good[::-1])

    def hang(self, good: bytes):
        self.fake.over.wait()

    def hang_halfway(self, good: bytes):
        self.half(good)
        self.fake.over.wait()

    def drip(self, good: bytes):
        """A byte now and then: a socket's own time limit never ends that."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.fake.over.wait(0.05):
            self.wfile.write(b"a")

    def endless(self, good: bytes):
        self.send_response(200)
        self.end_headers()
        while not self.fake.over.is_set():
            self.wfile.write(bytes(1 << 16))

    def moved(self, good: bytes, to: str):
        self.send_response(302)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def together(self, good: bytes, barrier: threading.Barrier):
        """Wait until others ask as well."""
        barrier.wait()
        self.says(good, good)


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients go away: that is what is tested


class Fake:
    """Serves files and answers questions.

    Attributes
    ----------
    contents, listed : files by name, and what the server's list says of them
    info : entries of what the server says of itself
    faults : by name of a file or method, what is wrong with the next answers
    asked : files and methods so far
    over : set when the test is over
    """

    def __init__(self):
        self.contents: dict[Any, bytes] = {}
        self.listed: dict[str, dict[str, str]] = {}
        self.info: dict[str, Any] = {}
        self.faults: dict[str, list[tuple]] = {}
        self.asked: list[str] = []
        self.over = threading.Event()
        self.http = Quiet(("127.0.0.1", 0), type("Handler", (Answering,), {"fake": self}))
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def add(self, name: str, content: bytes) -> None:
        self.contents[name] = content
        sha1 = hashlib.sha1(content).hexdigest()
        self.listed[name] = {"size": str(len(content)), "sha1sum": sha1}

    def spoil(self, name: str, *fault: Any, times: int = 1) -> None:
        self.faults[name] = [fault] * times

    def result(self, method: str) -> bytes | None:
        addresses = {"unchecked": {"jwst": f"{self.url}/files/jwst"}}
        packed = base64.b64encode(gzip.compress(json.dumps(self.listed).encode())).decode()
        results = {
            "get_server_info": {
                "reference_url": addresses,
                "mapping_url": addresses,
                "download_metadata": {"crds_encoded": "1.0", "crds_payload": packed},
                **self.info,
            },
            "get_file_info_map": self.listed,
            "get_mapping_names": [name for name in self.contents if str(name).endswith("map")],
            "get_default_context": "jwst_0001.pmap",
            "get_build_context": "jwst_0002.pmap",
        }
        if method not in results:
            return None
        return json.dumps({"result": results[method], "error": None, "id": "1"}).encode()

    def close(self) -> None:
        self.over.set()
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """A server that the environment names; little patience is asked for."""
    server = Fake()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in (
        "CRDS_REFERENCE_URI",
        "CRDS_MAPPING_URI",
        "CRDS_READONLY_CACHE",
        "CRDS_DOWNLOAD_PLUGIN",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CRDS_SERVER_URL", server.url)
    monkeypatch.setenv("CRDS_CLIENT_TIMEOUT_SECONDS", "0.4")
    monkeypatch.setenv("CRDS_CLIENT_RETRY_COUNT", "3")
    monkeypatch.setenv("CRDS_CLIENT_RETRY_DELAY_SECONDS", "0.01")
    yield server
    server.close()
