"""What the four classifiers with outlier exposure share: networks, outliers, pictures.

A method adds two losses of a row, as normal and as an outlier, and its score. The rule
is `whitecrow.supervision.exposure`: half of a batch are outliers, or as many as
`outlier_ratio` says.

Source: Ruff et al., Rethinking Assumptions in Deep Anomaly Detection, arXiv 2006.00339;
specs/outlier_exposure.md.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from whitecrow.deep import hypersphere
from whitecrow.deep.augment import AUGMENTATIONS, centre, varied
from whitecrow.deep.detector import Activation, DeepDetector, Network, Widths
from whitecrow.deep.nets.mlp import Linear
from whitecrow.deep.outliers import GENERATED
from whitecrow.deep.run import Batch, Losses, Run, Stage, outliers_beside
from whitecrow.errors import ParameterError
from whitecrow.parameters import Auto, Count, Positive, fixed, options
from whitecrow.supervision import exposure

__all__ = ["Exposed", "ExposedDetector"]

# Mean and deviation of the channels, as published for all pictures of a kind.
_CHANNELS = {
    "cifar10": ((0.491373, 0.482353, 0.446667), (0.247059, 0.243529, 0.261569)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


class Exposed(nn.Module):
    """An encoder that sees normalised pictures, and a linear head where one is asked.

    Parameters
    ----------
    encoder : Module
    rep_dim : int
        Width of its code.
    channels : int
        Of pictures that are normalised; 0 for none.
    head : bool
        Append a logit to the code.
    """

    has_member_axis = True

    mean: Tensor
    std: Tensor

    def __init__(
        self, encoder: nn.Module, rep_dim: int, *, channels: int, head: bool
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = Linear(rep_dim, 1) if head else None
        self.normalises = channels > 0
        if channels:
            self.register_buffer("mean", torch.zeros(channels))
            self.register_buffer("std", torch.ones(channels))

    def forward(self, x: Tensor) -> Float[Tensor, "*members batch width"]:
        """Return codes (..., batch, rep_dim), followed by the logit if there is one."""
        if self.normalises:
            # Members lie before the batch, the channels before height and width.
            mean, std = (
                part[..., None, :, None, None] for part in (self.mean, self.std)
            )
            x = (x - mean) / std
        z: Tensor = self.encoder(x)
        return z if self.head is None else torch.cat([z, self.head(z)], dim=-1)


class ExposedDetector(DeepDetector):
    """Base of the classifiers with outlier exposure; see the module.

    A class derived from it gives `_losses` with `_seen` and `_weighed`, and `_score`
    with `_whole`.
    """

    uses_labels: ClassVar[bool] = True
    uses_auxiliary: ClassVar[bool] = True
    has_l_a: ClassVar[bool] = True
    # Whether a linear head follows the code.
    _head: ClassVar[bool] = False

    _: KW_ONLY
    synthetic: Annotated[str, options(*GENERATED)] = "uniform"
    outlier_ratio: Positive = 1.0
    outlier_weight: Positive = 1.0
    hidden: Widths = "auto"
    act_fn: Activation = "leaky_relu"
    bias: bool = True
    batch_norm: bool = True
    network: Network = "auto"
    rep_dim: Count | Auto = "auto"
    augment: Annotated[str, options(*AUGMENTATIONS)] = "none"
    normalise: Annotated[str, options("none", "rows", *_CHANNELS)] = "none"
    milestones: tuple[int, ...] = (30, 45)
    epochs = 60
    batch_size = 64
    weight_decay = 5e-7
    outliers_drawn_: int = fixed(0)

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        self._check_pictures(shape)
        encoder = hypersphere.encoder_for(
            shape,
            network=self.network,
            hidden=self.hidden,
            rep_dim=None if self.rep_dim == "auto" else int(self.rep_dim),
            act=self.act_fn,
            bias=self.bias,
            batch_norm=self.batch_norm,
            affine=self.bias,
        )
        if not self._head and self.normalise == "none":
            return encoder
        with torch.no_grad():
            encoder.eval()
            rep_dim = encoder(centre(torch.zeros(1, *shape), self.augment)).shape[-1]
        channels = shape[0] if self.normalise != "none" else 0
        return Exposed(encoder.train(), rep_dim, channels=channels, head=self._head)

    def _begin(self, run: Run) -> None:
        run.plan(Stage("training", exposure, self.epochs))
        run.expose(GENERATED[self.synthetic], ratio=self.outlier_ratio)
        if run.fresh and self.normalise != "none":
            self._set_channels(run)

    @torch.no_grad()
    def _set_channels(self, run: Run) -> None:
        mean, std = (run.net.get_buffer(name) for name in ("mean", "std"))
        if self.normalise == "rows":
            first = run.mean(lambda x: x.mean((-2, -1)))
            second = run.mean(lambda x: x.square().mean((-2, -1)))
            mean.copy_(first)
            std.copy_((second - first.square()).clamp(min=1e-6).sqrt())
            return
        for buffer, published in zip(
            (mean, std), _CHANNELS[self.normalise], strict=True
        ):
            buffer.copy_(torch.tensor(published).expand_as(buffer))

    def _end(self, run: Run) -> None:
        sizes = [index.shape[-1] for index in run.batches(0)]
        drawn = sum(outliers_beside(size, self.outlier_ratio) for size in sizes)
        self.outliers_drawn_ = drawn * len(self.loss_curve_)

    def _seen(self, net: nn.Module, batch: Batch) -> Tensor:
        """Run the network on variants of the pictures of a batch, or on its rows."""
        out: Tensor = net(varied(batch.x, batch.noise, self.augment))
        return out

    def _whole(self, net: nn.Module, x: Tensor) -> Tensor:
        """Run the network on rows as they are scored."""
        out: Tensor = net(centre(x, self.augment))
        return out

    def _weighed(self, batch: Batch, l_n: Tensor, l_a: Tensor) -> Losses:
        """Return the losses, those of auxiliary outliers times their weight."""
        if batch.outliers is None or self.outlier_weight == 1:
            return Losses(l_n, l_a)
        return Losses(l_n, torch.where(batch.outliers, self.outlier_weight * l_a, l_a))

    def _embed(self, net: nn.Module, x: Tensor) -> Tensor:
        out = self._whole(net, x)
        return out[..., :-1] if self._head else out

    def _check_pictures(self, shape: tuple[int, ...]) -> None:
        for name in ("augment", "normalise"):
            if len(shape) == 1 and getattr(self, name) != "none":
                raise ParameterError(
                    f"{name}={getattr(self, name)!r} is for pictures, and these rows "
                    f"are a table; use {name}='none'"
                )
        if self.normalise in _CHANNELS and shape[0] != 3:
            raise ParameterError(
                f"normalise={self.normalise!r} has numbers for three channels, and "
                f"these pictures have {shape[0]}; use normalise='rows'"
            )
