"""miniImageNet: 64, 16 and 20 classes of ImageNet, 600 images of 84 px each."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from torch import Tensor

from syntrans_l2l.datasets import mini_parquet, mini_pickles, published
from syntrans_l2l.datasets.base import SPLITS
from syntrans_l2l.datasets.images import ImageBenchmark, ImageFiles, Picture
from syntrans_l2l.datasets.sources import how_to_get

SIZE = 84


class _Form(Protocol):
    """What miniImageNet comes as; both modules that read one are of this shape."""

    __name__: str

    def files(self, root: Path, split: str) -> list[Path]: ...

    def counts(self, root: Path, split: str, wnids: Sequence[str]) -> list[int]: ...

    def pictures(self, root: Path, split: str, size: int) -> Iterator[Picture]: ...

    def labels(self, root: Path, split: str, decoded: Tensor, wnids: Sequence[str]) -> Tensor: ...


class MiniImagenet(ImageBenchmark):
    """miniImageNet from learn2learn's pickles or from the hub's parquet files.

    The pickles name their classes, so they are read where both are there. The parquet's labels
    are bare numbers: see `mini_parquet.wnids_of_labels` for how they get their names.

    Source: Vinyals et al., "Matching networks for one shot learning", NeurIPS 2016, divided as
    by Ravi & Larochelle, ICLR 2017.
    """

    name = "mini_imagenet"
    size = SIZE

    def files(self, root: Path) -> ImageFiles:
        form, classes = _form(root), published.classes(self.name)
        return ImageFiles(
            name=self.name,
            class_keys=classes,
            class_names={split: published.wordnet_names(classes[split]) for split in SPLITS},
            counts={split: form.counts(root, split, classes[split]) for split in SPLITS},
            files=[file for split in SPLITS for file in form.files(root, split)],
            size=SIZE,
            pictures=lambda split: form.pictures(root, split, SIZE),
            labels=lambda decoded: {
                split: form.labels(root, split, decoded[split], classes[split]) for split in SPLITS
            },
            reader=form.__name__,
        )


def _form(root: Path) -> _Form:
    """What is there whole, pickles first.

    Raises:
        FileNotFoundError: neither is; the message says how to get it.
    """
    forms: tuple[_Form, ...] = (mini_pickles, mini_parquet)
    for form in forms:
        if all(form.files(root, split) for split in SPLITS):
            return form
    missing = [split for split in SPLITS if not mini_pickles.files(root, split)]
    raise FileNotFoundError(
        f"no miniImageNet below {root}: neither mini-imagenet-cache-*.pkl ({', '.join(missing)} "
        f"missing) nor mini_imagenet/data/*.parquet are whole; {how_to_get(MiniImagenet.name)}"
    )
