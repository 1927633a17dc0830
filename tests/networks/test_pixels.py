"""Images of another range are scaled or refused, never answered wrongly in silence."""

import pytest
import torch
from small_student import student
from torch import Tensor, nn

from syntrans_l2l import SynTrans, untrained_classifier
from syntrans_l2l.training.augment import to_float

PICTURES = torch.randint(
    0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
BAD = [
    (PICTURES.float(), r"must lie in \[0, 1\], got values from 0 to 255; divide by 255"),
    (PICTURES.float() / 127.5 - 1, "got values from -1 to 1; .*leave the normalisation"),
    (PICTURES.float() / 0, "got values from nan to nan"),
    (PICTURES.long(), "must be uint8 or float in .0, 1., got torch.int64"),
    (PICTURES[:, :1], r"must be \[n, 3, H, W\], got \[4, 1, 32, 32\]"),
    (PICTURES.permute(0, 2, 3, 1), r"must be \[n, 3, H, W\], got \[4, 32, 32, 3\]"),
    (PICTURES[0], r"must be \[n, 3, H, W\], got \[3, 32, 32\]"),
]


@pytest.mark.parametrize(("images", "message"), BAD, ids=[message for _, message in BAD])
@pytest.mark.parametrize("training", [True, False])
def test_images_that_no_student_takes(images: Tensor, message: str, training: bool) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        student().train(training)(images)
    assert "\n" not in str(caught.value)


def test_bytes_are_scaled_to_the_bit_as_training_scales_them() -> None:
    network = student().eval()
    expected = network.embed(to_float(PICTURES))
    before = PICTURES.clone()
    assert torch.equal(network(PICTURES), expected)
    assert torch.equal(network(to_float(PICTURES)), expected)
    assert torch.equal(PICTURES, before)
    assert network(to_float(PICTURES) * 1.0005).isfinite().all()  # rounding may overshoot


def test_an_algorithm_with_a_student_refuses_what_its_student_refuses() -> None:
    network = student().eval()
    classifier = untrained_classifier(network.out_features, 5)
    algorithm = SynTrans(network, classifier, torch.randn(3, 5)).eval()
    with pytest.raises(ValueError, match="divide by 255"):
        algorithm.adapt(PICTURES[:3].float(), torch.arange(3), [0, 1, 2])
    algorithm.adapt(PICTURES[:3], torch.arange(3), [0, 1, 2])
    assert torch.equal(algorithm(PICTURES), algorithm(to_float(PICTURES)))
    with pytest.raises(ValueError, match="divide by 255"):
        algorithm(PICTURES.float())
    plain = SynTrans(nn.Flatten(), untrained_classifier(3072, 5, 8), torch.randn(3, 5))
    plain.adapt(PICTURES[:3].float(), torch.arange(3), [0, 1, 2])  # what it takes is not known
