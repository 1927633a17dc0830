"""Where each data set comes from, and where its files go."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from syntrans_l2l.datasets.download import DownloadError, fetch, unpack, zenodo_files
from syntrans_l2l.progress import Progress, silent

logger = logging.getLogger(__name__)


class Source(Protocol):
    """A place that has a data set."""

    @property
    def title(self) -> str:
        """What messages call it."""
        ...

    @property
    def size(self) -> str:
        """Of all files, in words."""
        ...

    def places(self, root: Path) -> list[str]:
        """Where a person without a network puts its files."""
        ...

    def fetch(self, root: Path, progress: Progress = silent) -> None:
        """Download and unpack.

        Raises:
            DownloadError: it could not be had from here.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Zenodo:
    """Files of a Zenodo record, verified by the sizes and checksums that it announces.

    Args:
        record: its number.
        files: names there -> places below the data root; a place that ends in "/" is the
            folder that an archive is unpacked in.
        size: of all files, in words.
        host: of the record.
    """

    record: str
    files: Mapping[str, str]
    size: str
    host: str = "https://zenodo.org"

    @property
    def title(self) -> str:
        return f"Zenodo record {self.record}"

    def places(self, root: Path) -> list[str]:
        return [
            f"unpack {name} in {root / place}" if place.endswith("/") else
            f"{name} as {root / place}"
            for name, place in self.files.items()
        ]  # fmt: skip

    def fetch(self, root: Path, progress: Progress = silent) -> None:
        announced = zenodo_files(self.record, self.host)
        for name, place in self.files.items():
            if name not in announced:
                raise DownloadError(f"{self.title} has no file {name}")
            url, size, md5 = announced[name]
            path = root / place / name if place.endswith("/") else root / place
            fetch(url, path, mirror=self.title, size=size, md5=md5, progress=progress)
            if place.endswith("/"):
                unpack(path, root / place)


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A data set of the Hugging Face hub, whose own client verifies and resumes.

    Args:
        repository: its name.
        pattern: of the files wanted.
        place: the folder below the data root that they go to.
        size: of all files, in words.
    """

    repository: str
    pattern: str
    place: str
    size: str

    @property
    def title(self) -> str:
        return f"hub data set {self.repository}"

    def places(self, root: Path) -> list[str]:
        return [f"{self.pattern} in {root / self.place}"]

    def fetch(self, root: Path, progress: Progress = silent) -> None:
        from huggingface_hub import snapshot_download

        try:
            snapshot_download(
                self.repository,
                repo_type="dataset",
                allow_patterns=self.pattern,
                local_dir=root / self.place,
            )
        except Exception as error:  # of the hub's client, its HTTP library, or the disk
            reason = " ".join(str(error).split())[:200]
            raise DownloadError(f"{self.title} cannot be had ({reason})") from error


_LEARN2LEARN = "7978538"  # the record that learn2learn's own loaders name
SOURCES: Mapping[str, Sequence[Source]] = {
    "mini_imagenet": (
        Hub(
            repository="GATE-engine/mini_imagenet",
            pattern="data/*.parquet",
            place="mini_imagenet",
            size="3.9 GB",
        ),
        Zenodo(
            record=_LEARN2LEARN,
            files={
                f"mini-imagenet-cache-{split}.pkl": f"mini-imagenet-cache-{split}.pkl"
                for split in ("train", "validation", "test")
            },
            size="1.3 GB",
        ),
    ),
    "tiered_imagenet": (
        Zenodo(
            record=_LEARN2LEARN,
            files={
                f"tiered-imagenet-{split}_{what}.pkl": f"tiered-imagenet/{split}_{what}.pkl"
                for split in ("train", "val", "test")
                for what in ("labels", "images_png")
            },
            size="12 GB, and 16.5 GB more in the cache",
        ),
    ),
    "cifar_fs": (
        Zenodo(record=_LEARN2LEARN, files={"cifar100.zip": "cifarfs/"}, size="180 MB"),
    ),
    "fc100": (
        Zenodo(record=_LEARN2LEARN, files={"cifar100.zip": "cifarfs/"}, size="180 MB"),
        Zenodo(record=_LEARN2LEARN, files={"fc100.zip": "./"}, size="160 MB"),
    ),
    "cub": (
        Zenodo(record="8000562", files={"CUB_200_2011.tgz": "cubirds200/"}, size="1.1 GB"),
    ),
}  # fmt: skip


def how_to_get(name: str) -> str:
    """One line for errors: what to run, what comes from where, where it goes by hand."""
    places = " or ".join(
        f"{source.title} ({source.size}: {'; '.join(source.places(Path('ROOT')))})"
        for source in SOURCES[name]
    )
    return (
        "run benchmarks/run.py check-data --gin FILE --download, or put the files there by hand: "
        f"{places}, where ROOT is $SYNTRANS_DATA (default ~/data)"
    )


def download(name: str, root: Path, progress: Progress = silent) -> str:
    """Fetch a data set from the first of its sources that gives it, and return its title.

    Raises:
        DownloadError: none does; the message has each one's reason.
    """
    reasons = []
    for source in SOURCES.get(name, ()):
        try:
            source.fetch(root, progress)
        except DownloadError as error:
            logger.warning("%s", error)
            reasons.append(str(error))
        else:
            return source.title
    raise DownloadError("; ".join(reasons) or f"{name} is not downloaded from anywhere")
