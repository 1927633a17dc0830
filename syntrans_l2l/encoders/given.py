"""Features that the data set brings."""

from syntrans_l2l.cache import digest
from syntrans_l2l.datasets.base import SPLITS
from syntrans_l2l.datasets.features import FeatureData
from syntrans_l2l.encoders.base import Encoded, Normalised, Workspace


class GivenFeatures:
    """The place of an encoder where a features file stands for images and network alike.

    Args:
        of_teacher: whether a teacher such as CLIP made the features from the images.
    """

    name = "given features"
    semantic_dim = None

    def __init__(self, of_teacher: bool = False) -> None:
        self.sees_teacher_images = of_teacher

    def check(self, size: int | None) -> None:
        if size is not None:
            raise ValueError("this data set holds images: bind Experiment.student")

    def network(self, work: Workspace) -> None:
        return None

    def encode(self, work: Workspace) -> Encoded:
        data = work.data
        if not isinstance(data, FeatureData):
            raise TypeError(f"{data.name} holds images, not features: bind Experiment.student")
        features = {split: getattr(data, split).images for split in SPLITS}
        recipe = {"features": data.encoder}
        if not data.shared_space:
            return Encoded(features, data.fingerprint, data.encoder, recipe)
        return Encoded(
            features,
            digest({"data": data.fingerprint, "shared_space": True}),
            data.encoder,
            recipe,
            projection=Normalised(),
            lesson={"model": data.encoder, "images": "all, validation and novel ones included"},
        )
