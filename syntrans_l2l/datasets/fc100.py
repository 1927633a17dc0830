"""FC100: CIFAR-100 divided along its super-classes into 60, 20 and 20 classes."""

from pathlib import Path

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets import cifar100, fc100_pickles
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.datasets.images import ImageFiles
from syntrans_l2l.datasets.sources import how_to_get
from syntrans_l2l.progress import Progress, silent

_TRAIN = """
    apple aquarium_fish bed bicycle bottle bowl bridge bus can castle chair clock cloud couch
    crocodile cup dinosaur flatfish forest house keyboard lamp lawn_mower lizard maple_tree
    motorcycle mountain mushroom oak_tree orange orchid palm_tree pear pickup_truck pine_tree
    plain plate poppy ray road rocket rose sea shark skyscraper snake streetcar sunflower
    sweet_pepper table tank telephone television tractor train trout tulip turtle wardrobe
    willow_tree
"""
_VALIDATION = """
    bear camel cattle chimpanzee crab elephant hamster kangaroo leopard lion lobster mouse
    rabbit shrew snail spider squirrel tiger wolf worm
"""
_TEST = """
    baby beaver bee beetle boy butterfly caterpillar cockroach dolphin fox girl man otter
    porcupine possum raccoon seal skunk whale woman
"""
CLASSES = {"train": _TRAIN.split(), "validation": _VALIDATION.split(), "test": _TEST.split()}


class Fc100:
    """FC100: learn2learn's pickles where they are, else the images of the CIFAR-FS archive.

    Source: Oreshkin et al., "TADAM: Task dependent adaptive metric for improved few-shot
    learning", NeurIPS 2018: 12, 4 and 4 super-classes of five classes each.
    """

    name = "fc100"
    size = 32

    def class_counts(self, root: Path) -> dict[str, dict[str, int]]:
        if fc100_pickles.files(root):
            data = fc100_pickles.load(self.name, CLASSES, root)
            return {split: getattr(data, split).named_counts() for split in CLASSES}
        return self._archive(root).class_counts()

    def check_images(self, root: Path, progress: Progress = silent) -> None:
        if fc100_pickles.files(root):
            fc100_pickles.load(self.name, CLASSES, root)
        else:
            self._archive(root).check(progress)

    def load(self, root: Path, cache: Cache, progress: Progress = silent) -> FewShotData:
        if fc100_pickles.files(root):
            return fc100_pickles.load(self.name, CLASSES, root)
        return self._archive(root).load(cache, progress)

    def _archive(self, root: Path) -> ImageFiles:
        """The images of the CIFAR-FS archive.

        Raises:
            FileNotFoundError: it lacks some of the 100 classes.
        """
        there = {name for names in cifar100.archive_classes(root).values() for name in names}
        missing = [name for names in CLASSES.values() for name in names if name not in there]
        if missing:
            raise FileNotFoundError(
                f"FC100 needs all 100 classes of CIFAR-100; {len(missing)} are missing below "
                f"{root / 'cifarfs'} ({', '.join(missing[:3])}, ...); {how_to_get(self.name)}"
            )
        return cifar100.archive_files(self.name, CLASSES, root)
