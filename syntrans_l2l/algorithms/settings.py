"""What SynTrans is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from syntrans_l2l.training.bridge import BridgeTraining, make_folds
from syntrans_l2l.training.meta import MetaTraining, check_meta_training


@dataclass(frozen=True, kw_only=True)
class SynTransSettings:
    """The parts of SynTrans and their sizes, each a switch.

    Args:
        bridge: stage 3.
        meta: stage 4; its `iterations = 0` leaves generator and reconstructor as they start.
        folds: of cross-fitting the bridge over base classes.
        attention: whether the visual weight generator attends to base classes.
        residual: whether the reconstructor learns a correction to what the bridge makes.
        alphas: the grid of alpha, picked on validation episodes.
        semantic_weights: the grid of b, the weight of `cos(G_vs(query), s)`.
    """

    bridge: BridgeTraining = field(default_factory=BridgeTraining)
    meta: MetaTraining = field(default_factory=MetaTraining)
    folds: int = 4
    attention: bool = True
    residual: bool = True
    alphas: Sequence[float] = tuple(step / 20 for step in range(21))
    semantic_weights: Sequence[float] = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)

    def check(self, base: Sequence[int], *, ways: int, shots: int) -> None:
        """Find out before any training whether stages 3 and 4 fit base classes of these sizes.

        Args:
            base: the images of each base class.
            ways: N.
            shots: K.

        Raises:
            ValueError: too many folds, too few base classes, or too few images.
        """
        folds = make_folds(len(base), self.folds, seed=0)
        if not self.meta.iterations:
            return
        check_meta_training(base, folds, self.meta, ways=ways, shots=shots)
        if self.attention and len(base) <= ways:
            raise ValueError(
                f"{ways}-way meta-training with attention needs more than {ways} base classes, "
                f"got {len(base)}; add base classes, lower the ways, or set "
                "SynTransSettings.attention = False"
            )
