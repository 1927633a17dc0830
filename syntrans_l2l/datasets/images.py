"""From files to FewShotData: images decoded once into one mapped file, then read from there."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from syntrans_l2l.cache import Cache, Mark, Tensors, digest
from syntrans_l2l.code import code_digest
from syntrans_l2l.datasets.base import SPLITS, FewShotData, Split
from syntrans_l2l.datasets.contents import content_digests, some_of
from syntrans_l2l.datasets.decoding import decode
from syntrans_l2l.progress import Progress, silent

FILE_NAMES = {"train": "train", "validation": "val", "test": "test"}
_BETWEEN_MARKS = 1000  # images after which an interrupted reading goes on

Picture = Path | bytes | Tensor  # a file, its bytes, or pixels [3, size, size] uint8


@dataclass(frozen=True, kw_only=True)
class ImageFiles:
    """Where the images of a data set are, and which classes they are of. Nothing is read yet.

    Args:
        name: of the data set.
        class_keys: of each split.
        class_names: of each split, in the same order.
        counts: images of each class, in the same order.
        files: what the images come from; other contents mean decoding anew.
        size: pixels of a side.
        pictures: the pictures of a split, in order.
        labels: all labels [n] of each split, given the decoded images; asked for once.
        reader: the module that makes `pictures` and `labels`: other code means decoding anew.
        image_names: FOLDER/FILE of the pictures of each split, where each is a file.
    """

    name: str
    class_keys: Mapping[str, Sequence[str]]
    class_names: Mapping[str, Sequence[str]]
    counts: Mapping[str, Sequence[int]]
    files: Sequence[Path]
    size: int
    pictures: Callable[[str], Iterable[Picture]]
    labels: Callable[[Tensors], Mapping[str, Tensor]]
    reader: str
    image_names: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def class_counts(self) -> dict[str, dict[str, int]]:
        """Images per class of each split."""
        return {
            split: dict(zip(self.class_names[split], self.counts[split], strict=True))
            for split in SPLITS
        }

    def load(self, cache: Cache, progress: Progress = silent) -> FewShotData:
        """Decode on the first call; map the decoded file on later ones.

        Memory holds one image at a time beside what the source itself holds, whatever the size
        of the data set: pixels go to the cache's file and come back mapped from it. Reading that
        was interrupted goes on where it was.

        Raises:
            ValueError: pictures that are broken; the message names them.
        """
        key = {
            "images": self.name,
            "size": self.size,
            "classes": [list(self.class_keys[split]) for split in SPLITS],
            "counts": [list(self.counts[split]) for split in SPLITS],
            "contents": digest({"files": content_digests(self.files, cache)}),
            "code": code_digest("syntrans_l2l.datasets.decoding", self.reader),
        }
        shapes = {split: (sum(self.counts[split]), 3, self.size, self.size) for split in SPLITS}

        def make(tensors: Tensors, mark: Mark) -> None:
            for number, (split, row, pixels) in enumerate(self._read(progress, mark.done), 1):
                tensors[split][row] = pixels
                if number % _BETWEEN_MARKS == 0:
                    mark.set(mark.done + _BETWEEN_MARKS)

        pixels = cache.fill("images", key, shapes, make)
        labels = cache.get("labels", key, lambda: dict(self.labels(pixels)))
        parts = {
            split: Split(
                pixels[split],
                labels[split],
                tuple(self.class_names[split]),
                tuple(self.class_keys[split]),
                tuple(self.image_names.get(split, ())),
            )
            for split in SPLITS
        }
        fingerprint = digest(
            {
                "images": cache.checksum("images", key),
                "labels": cache.checksum("labels", key),
                "class_names": [list(self.class_names[split]) for split in SPLITS],
                "class_keys": key["classes"],
            }
        )
        return FewShotData(self.name, fingerprint=fingerprint, **parts)

    def check(self, progress: Progress = silent) -> None:
        """Open every picture.

        Raises:
            ValueError: some are broken; the message names them.
        """
        for _ in self._read(progress):
            pass

    def _read(self, progress: Progress, done: int = 0) -> Iterator[tuple[str, int, Tensor]]:
        """Split, row and pixels of every picture from number `done` on.

        Nothing comes after the first broken one: the others are only looked for.

        Raises:
            ValueError: at the end, some are broken; the message names them.
        """
        total, first, broken = sum(map(sum, self.counts.values())), 0, []
        with progress("reading images", total=total, unit="img", done=done) as advance:
            for split in SPLITS:
                count = sum(self.counts[split])
                start = min(max(done - first, 0), count)
                pictures = islice(self.pictures(split), start, None) if start < count else ()
                for row, picture in zip(range(start, count), pictures, strict=True):
                    try:
                        pixels = self._pixels(picture, split, row)
                    except ValueError as error:
                        broken.append(str(error))
                    if not broken:
                        yield split, row, pixels
                    advance(1)
                first += count
        if broken:
            raise ValueError(
                f"{some_of(broken, 'broken pictures')}; replace or remove these files, or fetch "
                "the data set anew"
            )

    def _pixels(self, picture: Picture, split: str, row: int) -> Tensor:
        if isinstance(picture, Tensor):
            return picture
        return decode(picture, self.size, where=f"{self.name}, {split} image {row}")


class ImageBenchmark:
    """A data set of images: all that is asked of it is asked of its `files`."""

    def files(self, root: Path) -> ImageFiles:
        """Where the images are, below `root`; raises as `Benchmark.class_counts` does."""
        raise NotImplementedError

    def class_counts(self, root: Path) -> dict[str, dict[str, int]]:
        return self.files(root).class_counts()

    def check_images(self, root: Path, progress: Progress = silent) -> None:
        self.files(root).check(progress)

    def load(self, root: Path, cache: Cache, progress: Progress = silent) -> FewShotData:
        return self.files(root).load(cache, progress)


def files_of_classes(
    name: str,
    pictures: Mapping[str, Mapping[str, Sequence[Path]]],
    *,
    size: int,
    names: Mapping[str, Mapping[str, str]] | None = None,
) -> ImageFiles:
    """A data set that is lists of picture files.

    Args:
        name: of the data set.
        pictures: of each split, the files of each class by the class's key.
        size: pixels of a side.
        names: of each split, the classes' names by key; None where keys are names.
    """
    flat = {split: [path for each in pictures[split].values() for path in each] for split in SPLITS}
    counts = {split: [len(each) for each in pictures[split].values()] for split in SPLITS}
    keys = {split: list(pictures[split]) for split in SPLITS}
    return ImageFiles(
        name=name,
        class_keys=keys,
        class_names={split: list(names[split].values()) for split in SPLITS} if names else keys,
        counts=counts,
        files=[path for split in SPLITS for path in flat[split]],
        size=size,
        pictures=flat.__getitem__,
        labels=lambda _: {
            split: torch.arange(len(each)).repeat_interleave(torch.tensor(each, dtype=torch.int64))
            for split, each in counts.items()
        },
        reader=__name__,
        image_names={
            split: ["/".join(path.parts[-2:]) for path in each] for split, each in flat.items()
        },
    )
