"""Features of the frozen student: computed once, gathered ever after."""

import torch
from torch import Tensor

from syntrans_l2l.networks.student import Student
from syntrans_l2l.training.augment import to_float
from syntrans_l2l.training.job import Job
from syntrans_l2l.training.precision import Precision, autocast, resolve


@torch.no_grad()
def extract(
    student: Student,
    images: Tensor,
    *,
    job: Job,
    precision: Precision = "auto",
    batch_size: int = 512,
    stage: str = "extracting features",
) -> Tensor:
    """f(x) of every image, in eval mode: [n, 3, H, W] uint8 -> [n, D] float32 on the CPU."""
    device = job.device
    student = student.to(device).to(memory_format=torch.channels_last).eval()
    dtype = resolve(precision, device)
    features = torch.empty(len(images), student.out_features)
    with job.progress(stage, total=len(images), unit="img") as advance:
        for first in range(0, len(images), batch_size):
            batch = to_float(images[first : first + batch_size].to(device))
            with autocast(dtype, device):
                output = student(batch.contiguous(memory_format=torch.channels_last))
            features[first : first + len(batch)] = output.float().cpu()
            advance(len(batch))
    return features
