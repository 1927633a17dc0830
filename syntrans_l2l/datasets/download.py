"""Downloads that resume, and that are not taken for whole before they are verified."""

import hashlib
import http.client
import json
import logging
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import cast

from syntrans_l2l.progress import Advance, Progress, silent

logger = logging.getLogger(__name__)

_CHUNK = 1 << 20
_TRIES = 5  # connections that may break off, each resumed where the last one ended
_TIMEOUT = 60  # seconds without a byte


class DownloadError(OSError):
    """A file could not be had; the message names the mirror and what to do."""


def fetch(
    url: str,
    path: Path,
    *,
    mirror: str,
    size: int,
    md5: str | None = None,
    progress: Progress = silent,
) -> None:
    """Download `url` to `path`; what a broken connection left in PATH.partial is continued.

    Args:
        url: of the file.
        path: where it goes once it is verified; nothing is done where it is there.
        mirror: what errors call the place.
        size: expected bytes.
        md5: expected checksum, where the mirror tells it.
        progress: draws the bar.

    Raises:
        DownloadError: the mirror serves something else, or cannot be reached.
    """
    if path.is_file() and path.stat().st_size == size:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    done = partial.stat().st_size if partial.is_file() else 0
    reason = ""
    with progress(f"downloading {path.name}", total=size, unit="B", done=done) as advance:
        for _ in range(_TRIES):
            try:
                _receive(url, partial, mirror, size, advance)
            except DownloadError:
                raise
            except (OSError, http.client.HTTPException) as error:
                reason = str(error) or type(error).__name__
                logger.info("%s: %s; resuming", mirror, reason)
            if partial.is_file() and partial.stat().st_size >= size:
                break
    received = partial.stat().st_size if partial.is_file() else 0
    if received < size:
        raise DownloadError(
            f"{mirror} gave {received:,} of {size:,} bytes of {path.name}"
            f"{f' ({reason})' if reason else ''}; start again to go on from there, or put the "
            f"file at {path}"
        )
    if received > size or (md5 is not None and _md5(partial) != md5):
        partial.unlink()
        raise DownloadError(
            f"{mirror} serves another {path.name} than it announces (size or checksum differs); "
            f"it was thrown away: start again, or put the file at {path}"
        )
    partial.replace(path)


def zenodo_files(
    record: str, host: str = "https://zenodo.org"
) -> dict[str, tuple[str, int, str | None]]:
    """The address, size and MD5 of each file in a Zenodo record.

    Raises:
        DownloadError: the record cannot be read.
    """
    try:
        with _open(urllib.request.Request(f"{host}/api/records/{record}")) as answer:
            listed = json.load(answer)["files"]
        return {
            file["key"]: (
                file["links"]["self"],
                int(file["size"]),
                file["checksum"].removeprefix("md5:"),
            )
            for file in listed
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DownloadError(f"Zenodo record {record} cannot be read ({error})") from error


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar archive into `folder`, after checking it; then remove it.

    Everything is unpacked beside `folder` first, so that a killed run leaves nothing half.

    Raises:
        DownloadError: the archive is damaged, or would write outside of `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacking-") as scratch:
        try:
            if zipfile.is_zipfile(archive):
                with zipfile.ZipFile(archive) as pack:
                    pack.extractall(scratch)  # checks every CRC, and strips leading dots
            else:
                with tarfile.open(archive) as tar:
                    tar.extractall(scratch, filter="data")
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
            raise DownloadError(
                f"{archive} is a damaged archive ({error}); delete it and download it again"
            ) from error
        for item in Path(scratch).iterdir():
            target = folder / item.name
            if target.is_dir():
                shutil.rmtree(target)
            item.replace(target)
    archive.unlink()


def _receive(url: str, partial: Path, mirror: str, size: int, advance: Advance) -> None:
    """Append to `partial` what the server gives, from where `partial` ends."""
    start = partial.stat().st_size if partial.is_file() else 0
    if start >= size:
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        answer = _open(request)
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            raise
        raise DownloadError(f"{mirror} answers {error.code} for {url}") from error
    with answer, partial.open("ab") as file:
        first = answer.read(_CHUNK)
        kind = answer.headers.get_content_type()
        if kind == "text/html" or first.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
            raise DownloadError(
                f"{mirror} serves an HTML page in the place of {url.rpartition('/')[2]}; open "
                f"{url} in a browser to see what it wants"
            )
        if start and answer.status != http.client.PARTIAL_CONTENT:
            file.truncate(0)  # a server without ranges begins anew
            advance(-start)
        while first:
            file.write(first)
            advance(len(first))
            first = answer.read(_CHUNK)


def _open(request: urllib.request.Request) -> http.client.HTTPResponse:
    return cast(http.client.HTTPResponse, urllib.request.urlopen(request, timeout=_TIMEOUT))


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
