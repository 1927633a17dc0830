"""What can be wrong with a task, each told in one line that names the fix."""

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from syntrans_l2l.array_file import as_labels

ADAPT = "adapt(support, labels, class_ids)"


def checked_task(
    support: Tensor,
    labels: Tensor | ArrayLike | None,
    class_ids: Tensor | ArrayLike | None,
    classes: int | None,
) -> tuple[Tensor, Tensor]:
    """Labels [n] and class ids [N] of a support set [n, ...], as int64 on its device.

    Both may be lists, arrays or tensors, of integers of any type or of whole fractions.

    Args:
        support: whatever the encoder takes.
        labels: of the support set.
        class_ids: rows of the table of class vectors.
        classes: rows of that table; None where there is none, and class ids may be missing.

    Raises:
        TypeError: called as MAML's `adapt(loss)`, or the support set is no tensor.
        ValueError: labels or class ids do not fit.
    """
    if labels is None:
        raise TypeError(
            f"SynTrans is not adapted by adapt(loss), as MAML is: call {ADAPT} with the support "
            "set and the task's class_ids, once a task"
        )
    if not isinstance(support, Tensor):
        raise TypeError(
            f"the support set must be a tensor, got {type(support).__name__}; use torch.as_tensor"
        )
    labels = as_labels(labels).to(support.device)
    if len(labels) != len(support):
        raise ValueError(f"{len(support)} support inputs need as many labels, got {len(labels)}")
    if class_ids is None and classes is None:
        class_ids = labels.unique()
    if class_ids is None:
        raise ValueError(
            "class_ids are missing: append SemanticLabels(dataset) to the taskset's "
            f"task_transforms, set task_collate=collate, and call {ADAPT} with task.class_ids"
        )
    ids = as_labels(class_ids, "class_ids").to(labels.device)
    ways = len(ids)
    if ways < 2:
        raise ValueError(
            "a task of one class has nothing to tell apart: raise NWays' n to 2 or more"
        )
    if len(ids.unique()) != ways:
        raise ValueError(f"class_ids must differ, got {ids.tolist()}")
    if classes is not None and not (ids.min() >= 0 and ids.max() < classes):
        raise ValueError(
            f"class_ids must lie in 0 to {classes - 1}, got {ids.tolist()}: give the class vectors "
            "of this taskset's classes as semantics= or by set_classes_"
        )
    outside = labels[(labels < 0) | (labels >= ways)].unique().tolist()
    if outside:
        raise ValueError(
            f"labels must lie in 0 to {ways - 1}, because class_ids has {ways} classes, got "
            f"{outside}: SemanticLabels relabels the samples of a task"
        )
    empty = torch.where(torch.bincount(labels, minlength=ways) == 0)[0].tolist()
    if empty:
        raise ValueError(
            f"no support for labels {empty} (class_ids {ids[empty].tolist()}): every class needs "
            "one sample or more, which KShots draws"
        )
    return labels, ids
