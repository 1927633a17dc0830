from pathlib import Path

import pytest
import torch

from syntrans_l2l.cache import Cache, code_digest, digest

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


def test_code_digest_sees_code_and_not_comments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    sources = ("x = 1", "# why\nx = 1", '"""Doc."""\nx = 1', "x = 2")
    digests = []
    for number, source in enumerate(sources):
        (tmp_path / f"module_{number}.py").write_text(source)
        digests.append(code_digest(f"module_{number}"))
    assert digests[0] == digests[1] != digests[3]
