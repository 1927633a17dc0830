"""What is asked of base and validation classes before anything is fitted on them."""

from syntrans_l2l.algorithms.labelled_features import LabelledFeatures
from syntrans_l2l.algorithms.settings import SynTransSettings


def check_fit(
    base: LabelledFeatures,
    validation: LabelledFeatures,
    settings: SynTransSettings,
    *,
    ways: int,
    shots: int,
) -> None:
    """Raise ValueError where the two do not fit each other, the settings or the episodes."""
    widths = base.features.shape[1], validation.features.shape[1]
    if widths[0] != widths[1]:
        raise ValueError(
            f"base features have width {widths[0]}, validation features {widths[1]}: one encoder "
            "must make both"
        )
    vectors, others = base.class_vectors, validation.class_vectors
    if (vectors is None) != (others is None):
        raise ValueError("give class_vectors to base and validation, or to neither")
    if vectors is not None and others is not None and vectors.shape[1] != others.shape[1]:
        raise ValueError(
            f"base class_vectors have width {vectors.shape[1]}, validation's {others.shape[1]}: "
            "one text encoder must make both"
        )
    if len(validation.class_names) < ways:
        raise ValueError(
            f"{ways} ways asked for, but validation has only {len(validation.class_names)} "
            "classes; lower the ways"
        )
    _check_apart(base, validation)
    if validation.aligned is not None and validation.aligned.vectors is None:
        raise ValueError("the validation classes' aligned vectors are missing: give all of them")
    settings.check(base.class_counts(), ways=ways, shots=shots)


def _check_apart(base: LabelledFeatures, validation: LabelledFeatures) -> None:
    """Raise ValueError where both hold the same class, as far as that can be seen."""
    named = base.named and validation.named
    shared = sorted(set(base.class_names) & set(validation.class_names)) if named else []
    if shared or base.digest == validation.digest:
        which = f" ({', '.join(shared[:4])})" if shared else ""
        raise ValueError(
            f"base and validation share classes{which}: what is selected on classes that were "
            "learned from trusts them too much; give other classes"
        )
