"""The losses of stage 1's proxy task: what a projected image should share with its teacher.

The paper's abstract speaks of an unsupervised proxy task; the losses are our reconstruction.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

EPSILON, ROUNDS = 0.05, 3  # of the optimal transport
SHARPNESS = 0.1  # temperature of the student's answer to it


def similarity_kl(ours: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    """`KL(softmax(theirs / t) || softmax(ours / t))`, mean over rows [n, C] -> []."""
    log_ours = F.log_softmax(ours / temperature, dim=-1)
    log_theirs = F.log_softmax(theirs / temperature, dim=-1)
    return F.kl_div(log_ours, log_theirs, log_target=True, reduction="batchmean")


def relational_kl(ours: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    """`similarity_kl` of the batch with itself, without each image's likeness to itself."""
    off = ~torch.eye(len(ours), dtype=torch.bool, device=ours.device)
    ours, theirs = ((x @ x.T)[off].view(len(x), len(x) - 1) for x in (ours, theirs))
    return similarity_kl(ours, theirs, temperature)


def info_nce(ours: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    """Each image picks its own teacher feature among those of its batch."""
    return F.cross_entropy(
        ours @ theirs.T / temperature, torch.arange(len(ours), device=ours.device)
    )


def sinkhorn(scores: Tensor, epsilon: float = EPSILON, rounds: int = ROUNDS) -> Tensor:
    """Images assigned to prototypes by optimal transport, every prototype to equally many.

    Source: Cuturi (NeurIPS 2013) in the form of SwAV (NeurIPS 2020), which FewVS (ACM MM 2024)
    takes for its proxy task.

    Args:
        scores: cosines of images and prototypes, [n, B].
        epsilon: of the entropy.
        rounds: how often columns and rows are scaled in turn, rows last.

    Returns:
        [n, B] of the scores' type; each row sums to 1, and each column to about n / B.
    """
    count, prototypes = scores.shape
    plan = scores.double() / epsilon  # its logarithm
    for _ in range(rounds):
        plan = plan - plan.logsumexp(0, keepdim=True) + math.log(count / prototypes)
        plan = plan - plan.logsumexp(1, keepdim=True)
    return plan.exp().to(scores)


def assignment_loss(ours: Tensor, prototypes: Tensor, assignment: Tensor) -> Tensor:
    """Cross-entropy of `softmax(S C' / 0.1)` and the teacher's assignment.

    Shapes: ours [n, A], prototypes [B, A], assignment [n, B] with rows that sum to 1 -> [].
    """
    predicted = F.log_softmax(ours @ prototypes.T / SHARPNESS, dim=-1)
    return -(assignment * predicted).sum(-1).mean()
