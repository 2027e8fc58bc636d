"""What a CRDS server is asked: where files lie, how large they are, and what a context consists of.

It is asked directly, in its own language (JSON-RPC), and not through `crds.client`.  That client
downloads files without any time limit, one after the other; it gives a file its final name before
it compares the checksum; it keeps the server and its answers in the module for as long as the
process lives; and it takes a second to import.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.request import Request

from heliodor.errors import NotYetError, ReferenceError, UsageError

from heliodor_crds import sizes
from heliodor_crds.settings import OBSERVATORY, connected
from heliodor_crds.transfers import Transfer, TransferError, carry_out, pieces, tried

USUAL = "https://jwst-crds.stsci.edu"
TIMEOUT = 30.0
TRIES = 3
PAUSE = 1.0
LONGEST = 1 << 28
"""An answer that is longer is no answer [bytes]; the list of all files takes a few million."""

_NAME = re.compile(r"\w[\w.\-]*")


@dataclass(frozen=True)
class Entry:
    """What the server's list says of a file.

    Attributes
    ----------
    size : in bytes; negative: the list does not say
    sha1 : checksum; empty if the server does not know it
    """

    size: int
    sha1: str


class Server:
    """A CRDS server.

    Parameters
    ----------
    url : its address
    timeout : the time it has to answer, and for each further piece of what it sends [s]
    tries : attempts in all, where another one may succeed
    pause : before the second attempt [s]

    Raises
    ------
    heliodor_crds.transfers.TransferError
        By every method: it gives no answer (`hopeless`), or none that can be understood.
    """

    def __init__(
        self, url: str, timeout: float = TIMEOUT, tries: int = TRIES, pause: float = PAUSE
    ):
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.tries = tries
        self.pause = pause
        if not self.url.startswith(("https://", "http://")):
            raise UsageError(f"CRDS_SERVER_URL = {url} is not allowed: it begins with https://")

    @classmethod
    def from_environment(cls) -> Server:
        """Give the server that the environment names, as the client of CRDS reads it.

        Raises
        ------
        heliodor.errors.ReferenceError
            It names none: nothing is to be asked of any.
        heliodor.errors.UsageError
            A setting is no number.
        heliodor.errors.NotYetError
            Another program is to fetch.
        """
        if os.environ.get("CRDS_DOWNLOAD_PLUGIN"):
            raise NotYetError("CRDS_DOWNLOAD_PLUGIN: having a program fetch is not there yet.")
        url = os.environ.get("CRDS_SERVER_URL", "").strip()
        if not connected(url):
            raise ReferenceError(
                "local mode (CRDS_SERVER_URL names no server): nothing is fetched. "
                f"Set it, to {USUAL} as a rule, or put the files into the folder CRDS_PATH."
            )
        return cls(
            url,
            _number("CRDS_CLIENT_TIMEOUT_SECONDS", TIMEOUT, 0.01),
            max(1, int(_number("CRDS_CLIENT_RETRY_COUNT", TRIES))),
            _number("CRDS_CLIENT_RETRY_DELAY_SECONDS", PAUSE),
        )

    def call(self, method: str, *params: Any) -> Any:
        """Ask the server.

        Parameters
        ----------
        method : of its service, such as ``get_server_info``
        params : plain data

        Returns
        -------
        plain data
        """
        number = f"heliodor-{uuid.uuid4()}"
        question = {"jsonrpc": "1.0", "method": method, "params": params, "id": number}
        request = Request(f"{self.url}/json/{method}/{number}/", json.dumps(question).encode())
        answer = bytearray()

        def attempt() -> None:
            answer.clear()
            for piece in pieces(request, self.timeout):
                answer.extend(piece)
                transfer.moved(len(answer))
                if len(answer) > LONGEST:
                    raise TransferError(f"the answer does not end after {len(answer)} bytes")

        def work(transfer: Transfer) -> None:
            tried(transfer, attempt, self.tries, self.pause)

        transfer = Transfer(method, work)
        carry_out([transfer], self.timeout)
        if error := transfer.error:
            hopeless = getattr(error, "hopeless", False)
            raise self._error(method, str(error), hopeless=hopeless) from error
        return self._result(method, bytes(answer))

    def _result(self, method: str, answer: bytes) -> Any:
        """Take the result out of an answer."""
        try:
            said = json.loads(answer)
        except (ValueError, RecursionError):
            begins = answer[:60].decode(errors="replace").strip() or "nothing"
            raise self._error(
                method, f"the answer is not JSON; it begins with {begins!r}"
            ) from None
        if not isinstance(said, dict) or not {"result", "error"} & said.keys():
            raise self._error(method, f"the answer has neither result nor error: {str(said)[:60]}")
        if error := said.get("error"):
            message = error.get("message", error) if isinstance(error, dict) else error
            raise self._error(method, f"the server says: {message}")
        return self._packed(method, said.get("result"))

    def _packed(self, method: str, result: Any) -> Any:
        """Unpack a result, if the server has packed it."""
        if not isinstance(result, dict) or "crds_encoded" not in result:
            return result
        try:
            packed = base64.b64decode(result["crds_payload"], validate=True)
            return json.loads(gzip.decompress(packed))
        except (KeyError, ValueError, OSError, EOFError, zlib.error, TypeError) as error:
            raise self._error(method, f"the answer cannot be unpacked: {error}") from error

    def _error(self, method: str, why: str, *, hopeless: bool = False) -> TransferError:
        said = f"CRDS server {self.url}, asked for {method}: {why}"
        return TransferError(said, hopeless=hopeless)

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """What the server says of itself."""
        said = self.call("get_server_info")
        if not isinstance(said, dict):
            raise self._error("get_server_info", f"the answer is no table: {str(said)[:60]}")
        return said

    def default_context(self) -> str:
        """Name the context that is in use now."""
        return self._name(self.call("get_default_context", OBSERVATORY, None))

    def build_context(self, version: str) -> str:
        """Name the context for a version of `jwst`, such as ``3.0.0``."""
        return self._name(self.call("get_build_context", OBSERVATORY, version))

    def mappings(self, context: str) -> tuple[str, ...]:
        """Name the mappings that a context consists of, itself among them."""
        names = self.call("get_mapping_names", context)
        if not isinstance(names, list):
            raise self._error("get_mapping_names", f"the answer is no list: {str(names)[:60]}")
        return tuple(self._name(name) for name in names)

    def address(self, name: str) -> str:
        """Say where a file is to be taken from."""
        kind = "mapping" if name.endswith((".pmap", ".imap", ".rmap")) else "reference"
        variable = f"CRDS_{kind.upper()}_URI"
        base = os.environ.get(variable, "none")
        if base.startswith("s3://"):
            raise NotYetError(f"{variable} = {base}: taking files from S3 is not there yet.")
        if base == "none":
            said = self.info.get(f"{kind}_url")
            if isinstance(said, dict):
                said = said.get("unchecked", said)
            base = str(said.get(OBSERVATORY) or "") if isinstance(said, dict) else ""
            if not base:
                raise self._error("get_server_info", f"the answer has no {kind}_url")
        return f"{base.rstrip('/')}/{name}"

    def entries(self, names: tuple[str, ...]) -> dict[str, Entry]:
        """Look files up in the server's list; those that it does not know are left out."""
        listed = self._listed
        if listed is None:  # older servers tell it by request only
            method = "get_file_info_map"
            listed = self.call(method, OBSERVATORY, sorted(names), ["sha1sum", "size"])
            listed = self._usable(method, listed)
        found = {name: listed[name] for name in names if name in listed}
        for name, entry in found.items():
            if entry.size < 0:
                raise ReferenceError(
                    f"CRDS server {self.url}: its list of files lacks size or checksum of {name}"
                )
        return found

    @cached_property
    def _listed(self) -> dict[str, Entry] | None:
        """The list of all files; their sizes are remembered, for plans."""
        method = "get_server_info"
        listed = self._packed(method, self.info.get("download_metadata"))
        if listed is None:
            return None
        entries = self._usable(method, listed)
        sizes.remember({name: entry.size for name, entry in entries.items() if entry.size >= 0})
        return entries

    def _usable(self, method: str, listed: Any) -> dict[str, Entry]:
        """Give what is known of the files on a list."""
        if not isinstance(listed, dict):
            raise self._error(method, f"its list of files is no table: {str(listed)[:60]}")
        # what is not a table says that there is no such file
        return {name: _entry(said) for name, said in listed.items() if isinstance(said, dict)}

    def _name(self, said: Any) -> str:
        """Refuse what is no plain file name: it would lead out of the cache."""
        if not isinstance(said, str) or not _NAME.fullmatch(said):
            raise ReferenceError(f"CRDS server {self.url}: {str(said)[:60]!r} is no name of a file")
        return said


def _entry(said: dict[str, Any]) -> Entry:
    """Understand an entry; one that lacks something has a size of -1."""
    try:
        return Entry(int(said["size"]), str(said["sha1sum"]).removeprefix("none"))
    except (KeyError, TypeError, ValueError):
        return Entry(-1, "")


def _number(variable: str, usual: float, least: float = 0.0) -> float:
    """Read a number from the environment."""
    said = os.environ.get(variable, "")
    try:
        value = float(said) if said else usual
    except ValueError:
        value = -1.0
    if not least <= value < float("inf"):
        raise UsageError(f"{variable} = {said} is not allowed: a number of at least {least:g}.")
    return value
