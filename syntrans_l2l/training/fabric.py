"""Several devices and machines for stages 0 and 1, through Lightning Fabric."""

from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from syntrans_l2l.training.workers import owned


class FabricWorkers:
    """Processes that Fabric starts, one a device, with the same command line as this one.

    On CUDA, BatchNorm takes its statistics over the whole batch (SyncBatchNorm); torch has no
    such layer for the CPU, where the statistics are those of each process' share.

    Args:
        devices: on each node.
        nodes: machines; each is started with the same command, and with MASTER_ADDR, MASTER_PORT
            and NODE_RANK (or a scheduler's variables) in its environment. They share a cache.
        strategy: a name of Fabric's that leaves the parameters whole, such as "ddp" or
            "ddp_find_unused_parameters_true".
        accelerator: "auto" takes GPUs where there are any.

    Raises:
        ImportError: Lightning Fabric is not installed.
        ValueError: Fabric does not know the strategy, or there are fewer devices.
    """

    def __init__(
        self, *, devices: int, nodes: int = 1, strategy: str = "ddp", accelerator: str = "auto"
    ) -> None:
        if find_spec("lightning_fabric") is None:
            raise ImportError(
                "several devices need Lightning Fabric; install it with: "
                'pip install "syntrans-l2l[lightning]"'
            )
        from lightning_fabric import Fabric
        from lightning_fabric.utilities.exceptions import MisconfigurationException

        try:
            self.fabric: Any = Fabric(
                accelerator=accelerator, strategy=strategy, devices=devices, num_nodes=nodes
            )
            self.fabric.launch()
        except MisconfigurationException as error:
            raise ValueError(f"--devices {devices} --nodes {nodes}: {error}") from error
        self.rank: int = self.fabric.global_rank
        self.count: int = self.fabric.world_size
        self.device: torch.device = self.fabric.device

    def setup(self, module: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        if self.device.type == "cuda":
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return cast(tuple[nn.Module, Optimizer], self.fabric.setup(module, optimizer))

    def gather(self, features: Tensor, total: int) -> Tensor:
        own = owned(total, self.rank, self.count)
        return cast(Tensor, _Gather.apply(features, total, own, self.count))

    def backward(self, loss: Tensor) -> None:
        self.fabric.backward(loss)

    def first(self) -> AbstractContextManager[object]:
        return cast(AbstractContextManager[object], self.fabric.rank_zero_first())


class _Gather(torch.autograd.Function):
    """The rows of all processes in one tensor, in every process.

    Each process computes the same loss of it, so a row's gradient is there in full where the row
    comes from; it is multiplied by the number of processes, because their average is taken.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, total: int, own: slice, count: int) -> Tensor:
        ctx.own, ctx.rows, ctx.count = own, len(features), count
        whole = features.new_zeros(total, features.shape[1])
        whole[own] = features[: own.stop - own.start]
        torch.distributed.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        ours = gradient.new_zeros(ctx.rows, gradient.shape[1])
        ours[: ctx.own.stop - ctx.own.start] = ctx.count * gradient[ctx.own]
        return ours, None, None, None
