"""A network of one's own with weights in the customary forms."""

import logging
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.encoders.base import Encoded, Workspace
from syntrans_l2l.encoders.checkpoint import Checkpoint
from syntrans_l2l.encoders.given import GivenFeatures
from syntrans_l2l.experiment.preparation import Preparation
from syntrans_l2l.training.job import Job


class Net(nn.Module):
    """Convolution, BatchNorm and a map or an average of it."""

    def __init__(self, width: int = 6, pooled: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, stride=4)
        self.norm = nn.BatchNorm2d(width)
        self.pooled = pooled

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.norm(self.conv(images)).relu()
        return maps.mean((2, 3)) if self.pooled else maps


class Nothing(GivenFeatures):
    """An encoder without a network."""

    def encode(self, work: Workspace) -> Encoded:
        return Encoded(features={}, hash="", name="")


def trained() -> Net:
    torch.manual_seed(3)
    net = Net().eval()
    net.norm.running_mean.copy_(torch.randn(6))  # type: ignore[union-attr]
    net.norm.num_batches_tracked.fill_(7)  # type: ignore[union-attr]
    return net


State = dict[str, Tensor]
FORMS: dict[str, Callable[[State], object]] = {
    "plain": lambda s: s,
    "params": lambda s: {"params": s},
    "model, deep": lambda s: {"model": {"state_dict": s}, "epoch": 7, "optimizer": {"lr": 0.1}},
    "state_dict": lambda s: {"state_dict": s, "best": 61.2},
    "encoder.": lambda s: {f"encoder.{n}": w for n, w in s.items()},
    "module.encoder.": lambda s: {f"module.encoder.{n}": w for n, w in s.items()},
    "features.": lambda s: {"params": {f"features.{n}": w for n, w in s.items()}},
    "a head": lambda s: {**s, "fc.weight": torch.ones(64, 6), "fc.bias": torch.ones(64)},
    "a head outside": lambda s: {
        **{f"backbone.{n}": w for n, w in s.items()},
        "attention.weight": torch.ones(2),
    },
    "no counts": lambda s: {n: w for n, w in s.items() if "num_batches" not in n},
}


def features(encoder: Checkpoint, data: FewShotData, folder: Path) -> Tensor:
    encoder.check(32)
    work = Workspace(data=data, cache=Cache(folder / "cache"), job=Job())
    return encoder.encode(work).features["test"]


def expected(data: FewShotData) -> Tensor:
    with torch.no_grad():
        wanted: Tensor = trained()(data.test.images / 255.0)
    return wanted


@pytest.mark.parametrize("form", FORMS)
def test_customary_forms_give_the_networks_own_features(
    form: str, data: FewShotData, tmp_path: Path
) -> None:
    torch.save(FORMS[form](trained().state_dict()), tmp_path / "net.pth")
    encoder = Checkpoint(Net, tmp_path / "net.pth", precision="float32")
    torch.testing.assert_close(features(encoder, data, tmp_path), expected(data))


def test_safetensors_maps_and_normalisation(
    data: FewShotData, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_file(trained().state_dict(), tmp_path / "net.safetensors")
    encoder = Checkpoint(Net, tmp_path / "net.safetensors", precision="float32",
                         arguments={"pooled": False})  # fmt: skip
    torch.testing.assert_close(features(encoder, data, tmp_path), expected(data))
    assert "sees pixels in [0, 1] as they are" in caplog.text
    caplog.clear()
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.4, 0.2)
    encoder = Checkpoint(Net, tmp_path / "net.safetensors", precision="float32", mean=mean, std=std)
    pixels = (data.test.images / 255.0 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(
        3, 1, 1
    )
    with torch.no_grad():
        torch.testing.assert_close(features(encoder, data, tmp_path), trained()(pixels))
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert (
        "Net, weights net.safetensors " in encoder.name and "mean [0.1, 0.2, 0.3]" in encoder.name
    )


def test_another_file_is_another_encoder(data: FewShotData, tmp_path: Path) -> None:
    """In name and in hash, also where its path stays."""
    path, seen = tmp_path / "net.pth", []
    work = Workspace(data=data, cache=Cache(tmp_path / "cache"), job=Job())
    for scale in (1.0, 2.0):
        torch.save({n: w * scale for n, w in trained().state_dict().items()}, path)
        encoded = Checkpoint(Net, path).encode(work)
        seen.append((encoded.name, encoded.hash, float(encoded.features["test"].sum())))
    assert all(first != second for first, second in zip(*seen, strict=True))


def test_no_encoder_takes_the_place_of_another(data: FewShotData, tmp_path: Path) -> None:
    """One that nobody holds any more must not leave its id, and so its network, to the next."""
    torch.save(trained().state_dict(), tmp_path / "net.pth")
    work = Workspace(data=data, cache=Cache(tmp_path / "cache"), job=Job())
    prepared = Preparation(work, named={})
    encoder, other = Checkpoint(Net, tmp_path / "net.pth"), Nothing()
    encoder.network(work)
    prepared.encoded(other)
    kept = weakref.ref(encoder), weakref.ref(other)
    del encoder, other
    assert all(each() is not None for each in kept)


def test_an_edited_network_is_another_encoder(
    data: FewShotData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights and layers stay, only `forward` changes: the cache must not give the old features."""
    import importlib
    import sys

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    source = (
        "from torch import nn\n\nclass Own(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.conv = nn.Conv2d(3, 4, 3)\n\n"
        "    def forward(self, images):\n        return self.conv(images).mean((2, 3)) * {}\n"
    )
    torch.save({"conv.weight": torch.ones(4, 3, 3, 3), "conv.bias": torch.ones(4)},
               tmp_path / "own.pth")  # fmt: skip
    sums, hashes = [], []
    for factor in (1.0, 3.0):
        (tmp_path / "own_encoder.py").write_text(source.format(factor))
        sys.modules.pop("own_encoder", None)
        importlib.invalidate_caches()
        encoder = Checkpoint("own_encoder.Own", tmp_path / "own.pth", precision="float32")
        work = Workspace(data=data, cache=Cache(tmp_path / "cache"), job=Job())
        encoded = encoder.encode(work)
        sums.append(encoded.features["test"].sum())
        hashes.append(encoded.hash)
    torch.testing.assert_close(sums[1], 3 * sums[0])
    assert hashes[0] != hashes[1]


def lacking(state: State) -> State:
    return {n: w for n, w in state.items() if n != "conv.bias"}


BAD: dict[str, tuple[Callable[[State], object], str]] = {
    "missing": (lacking, r"net\.pth does not fit Net: missing: conv\.bias$"),
    "missing beside a head": (
        lambda s: {**lacking(s), "fc.weight": torch.ones(1)},
        "missing: conv.bias$",
    ),
    "unexpected": (lambda s: {**s, "layer9.weight": torch.ones(1)}, "unexpected: layer9.weight$"),
    "shape": (
        lambda s: {**s, "conv.bias": torch.ones(9)},
        r"of another shape: conv\.bias \[9\] for \[6\]",
    ),
    "nothing": (lambda s: {"epoch": 3}, "holds no state dict"),
    "empty": (lambda s: {}, "holds no state dict"),
    "code": (lambda s: trained(), "cannot be read as tensors alone"),
    "twice": (
        lambda s: {f"{p}{n}": w for p in ("encoder.", "backbone.") for n, w in s.items()},
        "more than once, under encoder., backbone.",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_files_that_do_not_fit(kind: str, tmp_path: Path) -> None:
    make, message = BAD[kind]
    torch.save(make(trained().state_dict()), tmp_path / "net.pth")
    with pytest.raises(ValueError, match=message) as caught:
        Checkpoint(Net, tmp_path / "net.pth").check(32)
    assert "\n" not in str(caught.value)


def test_damaged_and_missing_files(tmp_path: Path) -> None:
    for name in ("net.pth", "net.safetensors"):
        (tmp_path / name).write_bytes(b"no weights")
        with pytest.raises(ValueError, match=name):
            Checkpoint(Net, tmp_path / name).check(32)
    with pytest.raises(FileNotFoundError, match=r"no weights at .*none\.pth: set Checkpoint\.path"):
        Checkpoint(Net, tmp_path / "none.pth").check(32)


class Fixed(nn.Module):
    """Takes 8 px only."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(192, 4)

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.linear(images.flatten(1)))


def test_modules_and_pictures_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(trained().state_dict(), path)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"module": "no_such_file.Net"}, r"'no_such_file\.Net' cannot be imported"),
        ({"module": "torch.nn.NoSuch"}, "cannot be imported"),
        ({"module": "Net"}, "cannot be imported"),
        ({"module": Net, "arguments": {"wide": 3}}, "set Checkpoint.arguments"),
        ({"module": dict}, "makes no torch module"),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=message):
            Checkpoint(**arguments, path=path).check(32)
    for wrong in ({"mean": (0.5, 0.5, 0.5)}, {"mean": (0.5,), "std": (0.5,)}):
        with pytest.raises(ValueError, match=r"Checkpoint\.mean and Checkpoint\.std"):
            Checkpoint(Net, path, **wrong)
    torch.save(Fixed().state_dict(), path)
    with pytest.raises(ValueError, match=r"pictures of 32 px: set Checkpoint\.image_size"):
        Checkpoint(Fixed, path).check(32)
    Checkpoint(Fixed, path, image_size=8).check(32)
    with pytest.raises(ValueError, match="needs images, and features have none"):
        Checkpoint(Fixed, path).check(None)
