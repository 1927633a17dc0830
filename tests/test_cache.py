import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from syntrans_l2l.cache import Cache, Mark, digest, tensor_digest

KEY = {"data": "x", "seed": 1}


def test_made_once_and_the_same_bits(tmp_path: Path) -> None:
    made = []

    def make() -> dict[str, torch.Tensor]:
        made.append(1)
        return {"z": torch.arange(5.0).half()}

    first, second = (Cache(tmp_path).get("features", KEY, make) for _ in range(2))
    assert torch.equal(first["z"], second["z"]) and second["z"].dtype == torch.float16
    assert made == [1]
    Cache(tmp_path).get("features", {**KEY, "seed": 2}, make)
    assert made == [1, 1]
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_entry_is_reported_and_rebuilt(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache(tmp_path)
    cache.save("features", KEY, {"z": torch.ones(50)})
    path = cache.path("features", KEY)
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[-1] ^= 1
    path.write_bytes(
        bytes({"truncated": content[:-9], "flipped": content, "empty": bytearray()}[damage])
    )
    rebuilt = cache.get("features", KEY, lambda: {"z": torch.full((50,), 2.0)})
    assert rebuilt["z"][0] == 2.0
    assert "damaged cache entry" in caplog.text and str(path) in caplog.text
    assert cache.load("features", KEY) is not None


def test_keys_ignore_order_but_not_content() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})


def test_filling_in_place_gives_an_entry_like_any_other(tmp_path: Path) -> None:
    cache, shapes = Cache(tmp_path), {"train": (3, 2, 2), "test": (1, 5)}

    def make(tensors: dict[str, torch.Tensor], _: Mark) -> None:
        tensors["train"].copy_(torch.arange(12).view(3, 2, 2))
        tensors["test"].fill_(7)

    filled = cache.fill("images", KEY, shapes, make)
    loaded = cache.load("images", KEY)
    assert loaded is not None
    for name, shape in shapes.items():
        assert loaded[name].dtype == torch.uint8 and loaded[name].shape == shape
        assert torch.equal(loaded[name], filled[name])
    assert loaded["train"].flatten().tolist() == list(range(12))
    assert cache.checksum("images", KEY) == tensor_digest(loaded)[:20]
    assert torch.equal(cache.fill("images", KEY, shapes, lambda *_: 1 / 0)["test"], loaded["test"])


def test_an_interrupted_filling_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        Cache(tmp_path).fill("images", KEY, {"train": (2, 2)}, lambda *_: 1 / 0)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]


@pytest.mark.parametrize("arguments", [(), ({"train": (2, 2)},)], ids=["get", "fill"])
def test_what_a_killed_process_began_is_cleared_away(
    tmp_path: Path, arguments: tuple[object, ...]
) -> None:
    """Killed while it makes an entry: the next one neither waits for it nor keeps its remains."""
    way = "fill" if arguments else "get"
    script = f"""
import os, signal
from pathlib import Path
from syntrans_l2l.cache import Cache

cache = Cache(Path({str(tmp_path)!r}))
def die(*_):
    cache.path("images", {KEY!r}).with_suffix(".1.partial").touch()
    os.kill(os.getpid(), signal.SIGKILL)
cache.{way}("images", {KEY!r}, *{arguments!r}, die)
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == -signal.SIGKILL
    assert list(tmp_path.rglob("*.partial"))
    made = []

    def make(*_: object) -> dict[str, torch.Tensor]:
        made.append(1)
        return {}

    getattr(Cache(tmp_path), way)("images", KEY, *arguments, make)
    assert made == [1] and not list(tmp_path.rglob("*.partial"))


def test_of_two_processes_one_makes_an_entry(tmp_path: Path) -> None:
    script = f"""
import sys, time
from pathlib import Path
import torch
from syntrans_l2l.cache import Cache

def make():
    with Path({str(tmp_path / "made")!r}).open("a") as file:
        file.write("x")
    time.sleep(1)
    return {{"z": torch.ones(3)}}

Path({str(tmp_path)!r}, sys.argv[1]).touch()
while len(list(Path({str(tmp_path)!r}).glob("ready*"))) < 2:
    time.sleep(0.01)
assert Cache(Path({str(tmp_path)!r})).get("features", {{}}, make)["z"].sum() == 3
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", script, f"ready{number}"]) for number in "01"
    ]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert (tmp_path / "made").read_text() == "x"


def test_what_is_filled_stays_out_of_memory(tmp_path: Path) -> None:
    """200 MB are written and read back, and the process grows by a tenth of that at most."""
    script = f"""
import torch
from pathlib import Path
from syntrans_l2l.cache import Cache

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024

def make(tensors, mark):
    for row in tensors["train"]:
        row.copy_(torch.full((1000, 1000), 3, dtype=torch.uint8))

before = anonymous()
images = Cache(Path({str(tmp_path)!r})).fill("images", {{}}, {{"train": (200, 1000, 1000)}}, make)
assert images["train"][:100].amax() == 3
assert anonymous() - before < 20, anonymous() - before
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_a_stamped_entry_is_read_without_hashing_and_any_other_is_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache(tmp_path)
    cache.save("features", KEY, {"z": torch.ones(50)})
    cache.fill("images", KEY, {"train": (5,)}, lambda tensors, mark: tensors["train"].fill_(1))
    hashed = []

    def counted(tensors: dict[str, torch.Tensor]) -> str:
        hashed.append(1)
        return tensor_digest(tensors)

    monkeypatch.setattr("syntrans_l2l.cache.tensor_digest", counted)
    assert cache.load("features", KEY) is not None and cache.load("images", KEY) is not None
    assert hashed == []
    path = cache.path("features", KEY)
    os.utime(path)  # as a copy or a touch leaves it: hashed once, and stamped anew
    for _ in range(2):
        assert cache.load("features", KEY) is not None
    assert hashed == [1] and not caplog.text


def test_verify_finds_what_a_stamp_hides(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = Cache(tmp_path)
    for seed in (1, 2):
        cache.save("features", {"seed": seed}, {"z": torch.ones(50)})
    path = cache.path("features", {"seed": 2})
    times = path.stat().st_mtime_ns
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times, times))  # a disk that rots changes no time
    assert cache.load("features", {"seed": 2}) is not None
    assert cache.verify() == [path] and not path.exists()
    assert cache.verify() == [] and "checksum differs" in caplog.text


def test_a_network_is_built_trained_once_and_frozen(tmp_path: Path) -> None:
    cache, trained = Cache(tmp_path), []

    def train() -> torch.nn.Module:
        trained.append(1)
        network = torch.nn.Linear(2, 2)
        torch.nn.init.constant_(network.weight, 3.0)
        return network

    for _ in range(2):
        network = cache.module("heads", KEY, lambda: torch.nn.Linear(2, 2).train(), train)
        assert (network.weight == 3.0).all() and not network.training
        assert not any(each.requires_grad for each in network.parameters())
    assert trained == [1]
