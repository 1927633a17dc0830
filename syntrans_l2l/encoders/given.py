"""Features that the data set brings."""

from syntrans_l2l.datasets.base import SPLITS
from syntrans_l2l.datasets.features import FeatureData
from syntrans_l2l.encoders.base import Encoded, Normalised, Workspace


class GivenFeatures:
    """The place of an encoder where a features file stands for images and network alike."""

    name = "given features"
    sees_teacher_images = False
    semantic_dim = None

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
        projection = Normalised() if data.shared_space else None
        recipe = {"features": data.encoder}
        return Encoded(features, data.fingerprint, data.encoder, recipe, projection=projection)
