"""Against a real server on the loopback device that misbehaves as mirrors do."""

import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from syntrans_l2l.datasets import sources
from syntrans_l2l.datasets.download import DownloadError, fetch, unpack, zenodo_files
from syntrans_l2l.datasets.sources import Zenodo, download

CONTENT = bytes(range(256)) * 20_000  # 5 MB: more than one chunk
MD5 = hashlib.md5(CONTENT).hexdigest()


class Mirror(BaseHTTPRequestHandler):
    """Serves `files`, in the way that `manner` says."""

    files: dict[str, bytes]
    manner: str
    asked: list[str | None]

    def do_GET(self) -> None:
        wanted = self.headers["Range"]
        self.asked.append(wanted)
        content = self.files.get(self.path.lstrip("/"))
        if content is None:
            self.send_error(404)
            return
        if self.manner == "html":
            content = b"<!DOCTYPE html><html>sign in</html>"
        start = 0
        if wanted and self.manner not in ("no ranges", "html"):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        breaks_off = self.manner in ("breaks off", "no ranges") and len(self.asked) == 1
        self.wfile.write(body[: len(body) // 3] if breaks_off or self.manner == "dies" else body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def mirror(manner: str = "well", **files: bytes) -> Iterator[tuple[str, list[str | None]]]:
    asked: list[str | None] = []
    handler = type("Handler", (Mirror,), {"files": files, "manner": manner, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()


def get(host: str, path: Path, size: int = len(CONTENT), md5: str | None = MD5) -> None:
    fetch(f"{host}/file", path, mirror="the mirror", size=size, md5=md5)


@pytest.mark.parametrize("manner", ["well", "breaks off", "no ranges"])
def test_a_file_arrives_whole(tmp_path: Path, manner: str) -> None:
    with mirror(manner, file=CONTENT) as (host, asked):
        get(host, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert not (tmp_path / "file.partial").exists()
    third = len(CONTENT) // 3
    assert asked == ([None] if manner == "well" else [None, f"bytes={third}-"])


def test_a_killed_download_goes_on_where_it_ended(tmp_path: Path) -> None:
    (tmp_path / "file.partial").write_bytes(CONTENT[:1_000_000])
    with mirror(file=CONTENT) as (host, asked):
        get(host, tmp_path / "file")
        assert asked == ["bytes=1000000-"]
        get(host, tmp_path / "file")  # what is there is not fetched again
        assert len(asked) == 1
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_mirror_that_keeps_breaking_off_loses_nothing(tmp_path: Path) -> None:
    with mirror("dies", file=CONTENT) as (host, asked):
        with pytest.raises(DownloadError, match=r"the mirror gave .* of 5,120,000 bytes.*go on"):
            get(host, tmp_path / "file")
        assert len(asked) == 5
    assert (tmp_path / "file.partial").stat().st_size > len(CONTENT) // 3
    assert not (tmp_path / "file").exists()


def test_html_is_refused(tmp_path: Path) -> None:
    message = "the mirror serves an HTML page in the place of file"
    partial = tmp_path / "file.partial"
    partial.write_bytes(CONTENT[:1000])
    with mirror("html", file=CONTENT) as (host, _), pytest.raises(DownloadError, match=message):
        get(host, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    assert partial.read_bytes() == CONTENT[:1000]  # nothing received so far is lost


def test_a_wrong_size_and_other_bytes_are_refused(tmp_path: Path) -> None:
    with mirror(file=CONTENT) as (host, _):
        for size, md5 in ((len(CONTENT) - 1, MD5), (len(CONTENT), "0" * 32)):
            with pytest.raises(DownloadError, match="the mirror serves another file than"):
                get(host, tmp_path / "file", size, md5)
            assert not list(tmp_path.iterdir())
        with pytest.raises(DownloadError, match="gave 5,120,000 of 5,120,001 bytes"):
            get(host, tmp_path / "file", len(CONTENT) + 1)


def test_what_a_mirror_does_not_have(tmp_path: Path) -> None:
    with mirror() as (host, asked):
        with pytest.raises(DownloadError, match="the mirror answers 404"):
            get(host, tmp_path / "file")
        assert len(asked) == 1
    with pytest.raises(DownloadError, match=r"the mirror gave 0 of .*refused"):
        get(host, tmp_path / "file")


def archive(tmp_path: Path) -> bytes:
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as pack:
        pack.writestr("folder/image.png", b"pixels" * 100)
    return (tmp_path / "made.zip").read_bytes()


def record(host: str, content: bytes) -> bytes:
    file = {
        "key": "pack.zip",
        "size": len(content),
        "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
        "links": {"self": f"{host}/pack"},
    }
    return json.dumps({"files": [file]}).encode()


def test_a_zenodo_record_is_fetched_and_unpacked(tmp_path: Path) -> None:
    content = archive(tmp_path)
    with mirror(pack=content) as (host, _), mirror() as (api, _):
        assert zenodo_record_of(api, host, content) == (f"{host}/pack", len(content))
    with mirror(pack=content) as (host, _), zenodo(host, content) as api:
        source = Zenodo(record="7", files={"pack.zip": "there/"}, size="1 MB", host=api)
        source.fetch(tmp_path / "root")
        missing = Zenodo(record="7", files={"other.zip": "there/"}, size="1 MB", host=api)
        with pytest.raises(DownloadError, match=r"Zenodo record 7 has no file other\.zip"):
            missing.fetch(tmp_path / "root")
    assert (tmp_path / "root/there/folder/image.png").read_bytes() == b"pixels" * 100
    assert not (tmp_path / "root/there/pack.zip").exists()


@contextmanager
def zenodo(host: str, content: bytes) -> Iterator[str]:
    pages: dict[str, Any] = {"api/records/7": record(host, content)}
    with mirror(**pages) as (api, _):
        yield api


def zenodo_record_of(api: str, host: str, content: bytes) -> tuple[str, int]:
    with pytest.raises(DownloadError, match="Zenodo record 7 cannot be read"):
        zenodo_files("7", api)
    with zenodo(host, content) as api:
        url, size, _ = zenodo_files("7", api)["pack.zip"]
    return url, size


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    content = bytearray(archive(tmp_path))
    content[60] ^= 255
    (tmp_path / "bad.zip").write_bytes(content)
    with pytest.raises(DownloadError, match=r"bad\.zip is a damaged archive"):
        unpack(tmp_path / "bad.zip", tmp_path / "there")
    assert not list((tmp_path / "there").iterdir())


def test_the_next_source_is_asked_where_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = archive(tmp_path)
    with mirror(pack=content) as (host, _), zenodo(host, content) as api, mirror() as (bad, _):
        good = Zenodo(record="7", files={"pack.zip": "there/"}, size="1 MB", host=api)
        broken = Zenodo(record="8", files={"pack.zip": "there/"}, size="1 MB", host=bad)
        monkeypatch.setattr(sources, "SOURCES", {"both": (broken, good), "none": (broken,)})
        assert download("both", tmp_path) == "Zenodo record 7"
        with pytest.raises(DownloadError, match="Zenodo record 8 cannot be read"):
            download("none", tmp_path)
    with pytest.raises(DownloadError, match="features is not downloaded from anywhere"):
        download("features", tmp_path)
