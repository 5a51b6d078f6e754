"""DeepDetector: a network, a pair of per-row losses and a score.

A deep method says three things: `_build` (its network), `_losses` (what a row costs if
normal and if anomalous) and `_score`; where it needs them also `_embed`, `_begin`,
`_train` and `_end`, which see the training as a `whitecrow.deep.run.Run`. Which labels
there are, and what they mean for the loss, is a rule of `whitecrow.supervision`; how
many members train side by side is `whitecrow.deep.stacked`. Neither is the method's
business.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, replace
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from whitecrow import labels
from whitecrow.deep import device, early, stacked, train
from whitecrow.deep.nets import lenet, noise, rethinking
from whitecrow.deep.nets.mlp import ACTIVATIONS
from whitecrow.deep.run import Batch, Losses, Run, Stage, TrainingSet, rows_at_once
from whitecrow.detector import Detector, Rows, Scores
from whitecrow.errors import DataError, ParameterError
from whitecrow.parameters import (
    Auto,
    Count,
    Natural,
    NonNegative,
    Patience,
    Positive,
    Scaling,
    fitted,
    fixed,
    options,
)
from whitecrow.scaling import Scaler, to_unit
from whitecrow.supervision import unlabelled

__all__ = ["Activation", "DeepDetector", "Network", "Ruled", "Seed", "Widths"]

Activation = Annotated[str, options(*ACTIVATIONS)]
Widths = Auto | tuple[int, ...]
Ruled = Annotated[str, options("auto", "rule")] | tuple[int, ...]
Network = Annotated[
    Any, options("auto", "mlp", *lenet.LENETS, *rethinking.NAMES), callable
]
Seed = Annotated[Any, "random_state", np.random.Generator]

# Scaled inputs beyond this would overflow float32 when squared and summed.
_FAR = 1e12

_STEPS_OF_PATH = 32

# Sets the masks of dropout in `_begin` apart from those of the stages.
_BEFORE = 0xBE61
# Sets the choice of held-out rows apart from first weights and batches.
_HELD_OUT = 0x4E1D

# A refit takes so many steps at least: on small tables, fewer are not enough
# (benchmarks/rounds.py).
_FEWEST_STEPS = 200


class DeepDetector(Detector):
    """Base of the deep methods; see the module.

    Attributes
    ----------
    net_ : torch.nn.Module
        The trained network; with `n_members > 1` a stack of them.
    loss_curve_ : ndarray of shape (epochs,) or (epochs, n_members)
        Mean training loss of each epoch.
    scaler_ : Scaler or None
        Units of the columns; None for pictures, which are in [0, 1].
    member_scale_ : ndarray of shape (n_members,)
        Mean training score of each member, by which its scores are divided before
        the members are averaged (1 for a single network).
    best_epoch_ : ndarray of int, shape (n_members,), or None
        With `patience`, the epoch whose weights each member has, counted from 1.
    """

    has_l_a: ClassVar[bool] = False
    # Whether training is the minimum of a rule of `supervision`, as wrappers need it.
    takes_rules: ClassVar[bool] = True
    explanation: ClassVar[str] = "gradient"
    # Parameters that hold several counts: widths of layers, or epochs.
    _counts: ClassVar[tuple[str, ...]] = ("hidden", "milestones")
    # Whether scores of all members are in one unit, so that none is rescaled.
    _one_unit: ClassVar[bool] = False
    # Whether a score follows from gradients of the network.
    _needs_gradient: ClassVar[bool] = False
    # What `epochs="auto"` means for tables and for pictures, where a method has it.
    _epochs: ClassVar[tuple[int, int]] = (10, 50)
    # Keeps noise of this method apart from other draws by the same seeds.
    _salt: ClassVar[int] = 0

    _: KW_ONLY
    scaling: Scaling = "standard"
    epochs: Natural = 50
    batch_size: Count = 128
    lr: Positive = 1e-3
    weight_decay: NonNegative = 0.0
    n_members: Count = 1
    patience: Patience = None
    device: str = "auto"
    random_state: Seed = None
    milestones: tuple[int, ...] = fixed(())  # a parameter of some methods
    net_: nn.Module = fitted()
    scaler_: Scaler | None = fitted()
    # Of methods that take outliers; files of before do not tell.
    auxiliary_given_: bool = fixed(False)
    best_epoch_: NDArray[np.int64] | None = fixed(None)
    loss_curve_: NDArray[np.float64] = fitted()
    member_scale_: NDArray[np.float64] = fitted()

    # --- what a method says -----------------------------------------------------------

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        """Build the untrained network for rows of a shape, with torch's generator."""
        raise NotImplementedError  # abstract

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        """Compute what each row of a batch costs, shape (..., batch)."""
        raise NotImplementedError  # abstract

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        """Compute anomaly scores (..., batch); higher = more anomalous."""
        raise NotImplementedError  # abstract

    def _embed(self, net: nn.Module, x: Tensor) -> Tensor:
        """Compute codes (..., batch, p) of rows, by default the scaled rows."""
        return x.flatten(-len(self.input_shape_))

    def _begin(self, run: Run) -> None:
        """Arrange a training: its stages, what is pretrained, a centre, targets."""

    def _train(self, run: Run, stage: Stage) -> None:
        """Train through one stage, by default all parameters under its rule."""
        run.minimise(self._losses, stage)

    def _end(self, run: Run) -> None:
        """Keep what all rows together say, in buffers of the network or as attributes.

        Gradients are off, and the network is as it will score.
        """

    # --- what users call --------------------------------------------------------------

    @torch.no_grad()
    def embed(self, X: ArrayLike) -> NDArray[np.float32]:
        """Compute the codes by which the method compares rows.

        Parameters
        ----------
        X : array-like of shape (n, d) or (n, c, h, w)
            Rows like those of `fit`.

        Returns
        -------
        ndarray of float32, shape (n, p)
            Codes, those of all members side by side; the scaled rows for methods
            without codes.
        """
        check_is_fitted(self)
        parts = [
            self._embed(self.net_, x)
            for x in self._inputs(self._check_rows(X, reset=False))
        ]
        codes = torch.cat(parts, dim=-2).float().cpu().numpy()
        if self.n_members > 1:
            codes = codes.transpose(1, 0, 2).reshape(codes.shape[1], -1)
        return np.ascontiguousarray(codes)

    @available_if(lambda self: self.uses_labels)  # type: ignore[untyped-decorator]
    def refit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        auxiliary: ArrayLike | None = None,
        share: float = 0.2,
    ) -> Self:
        """Train on from the present weights, for a share of the epochs.

        For labels that came after a fit without them: the network need not find out
        again what the rows have in common. Units of columns, and the centre of a
        hypersphere, remain those of `fit`; nothing is pretrained. Methods that learn
        from labels have it.

        Parameters
        ----------
        X : array-like of shape (n, d) or (n, c, h, w)
            Rows like those of `fit`, usually the same.
        y : array-like of shape (n,), optional
            As for `fit`.
        auxiliary : array-like with rows like those of `X`, optional
            Outliers from elsewhere, for methods with outlier exposure. Those of `fit`
            are not kept: a detector that was fitted with some needs some again.
        share : float in (0, 1], default=0.2
            Share of `epochs`, and more of them, up to all, where that would be less
            than 200 steps; `milestones` come as much earlier.

        Returns
        -------
        self

        Raises
        ------
        DataError, LabelError, ParameterError
            As `fit`, where `share` is not in (0, 1], and where `auxiliary` is missing.
        TrainingError
            When training diverges. After any error, or an interrupt, the detector is
            as it was.

        Examples
        --------
        >>> import numpy as np
        >>> from whitecrow import DeepSAD
        >>> rng = np.random.default_rng(0)
        >>> X = np.r_[rng.normal(size=(200, 5)), rng.normal(3, 1, size=(20, 5))]
        >>> model = DeepSAD(epochs=20, random_state=0).fit(X)
        >>> y = np.full(220, np.nan)
        >>> y[-10:] = 1  # somebody said so later
        >>> scores = model.refit(X, y).anomaly_score(X)
        >>> bool(scores[200:210].mean() > 3 * scores[:200].mean())
        True
        """
        check_is_fitted(self)
        if not 0 < share <= 1:
            raise ParameterError(
                f"share={share!r} is not in (0, 1]; 0.2 trains for a fifth of the "
                "epochs"
            )
        rows = self._check_rows(X, reset=False)
        codes = self._codes(y, len(rows))
        outliers = self._check_auxiliary(auxiliary)
        if outliers is None and self.auxiliary_given_:
            raise ParameterError(
                f"this {type(self).__name__} was fitted with auxiliary outliers, which "
                "it does not keep; give them again: refit(X, y, auxiliary=...)"
            )
        shorter = self._shorter(share, len(rows))
        one = shorter._scaled_set(rows, codes, outliers)
        shorter._go_on(one, rows, (), after=())
        shorter._set_threshold(rows, codes)
        # Only now, when nothing can fail any more.
        learnt = {k: v for k, v in vars(shorter).items() if k.endswith("_")}
        self.__dict__.update(learnt)
        return self

    def _shorter(self, share: float, n: int) -> DeepDetector:
        """Copy the detector and its network, with the schedule of a refit on n rows."""
        steps = math.ceil(n / self.batch_size)
        whole = self._n_epochs
        wanted = max(math.ceil(share * whole), math.ceil(_FEWEST_STEPS / steps))
        shorter = copy.copy(self)
        shorter.net_ = copy.deepcopy(self.net_)
        shorter.patience = None  # the first fit has found how long to train
        shorter.epochs = min(wanted, whole)
        part = shorter.epochs / max(whole, 1)
        milestones = (math.ceil(part * m) for m in getattr(self, "milestones", ()))
        shorter.__dict__["milestones"] = tuple(milestones)
        return shorter

    # --- mechanism --------------------------------------------------------------------

    @property
    def _n_epochs(self) -> int:
        """Say how many epochs a fit on rows like those of `input_shape_` takes."""
        given: int | str = self.epochs
        return (
            self._epochs[len(self.input_shape_) == 3] if given == "auto" else int(given)
        )

    def _check_parameters(self) -> None:
        super()._check_parameters()
        given = self.get_params(deep=False)
        for name in self._counts:
            if isinstance(given.get(name), tuple | list):
                _check_counts(name, given[name], type(self).__name__)

    def _fit(self, X: Rows, codes: labels.Codes, auxiliary: Rows | None) -> None:
        self._fit_stages(X, codes, auxiliary, ())

    def _fit_stages(
        self,
        X: Rows,
        codes: labels.Codes,
        auxiliary: Rows | None,
        stages: Sequence[Stage],
    ) -> None:
        """Fit through stages of a wrapper, or those of the method if it gives none."""
        one = self._training_set(X, codes, auxiliary)
        seeds = device.seeds(self.random_state, self.n_members)
        run = self._first_run([one] * len(seeds), seeds, stages)
        vars(self).pop("best_epoch_", None)  # that of an earlier fit
        self.loss_curve_ = self._learn(run)
        self._conclude(run, X)

    def _continue(
        self,
        X: Rows,
        y: NDArray[Any],
        stages: Sequence[Stage],
        *,
        after: Sequence[Stage],
    ) -> None:
        """Train on from the present weights, with fresh moments of Adam.

        Parameters
        ----------
        X : ndarray of shape (n, d) or (n, c, h, w)
            Checked rows; their units remain those of the first fit.
        y : ndarray of shape (n,)
            Codes, or probabilities with -1 where a row is unlabelled.
        stages, after : sequence of Stage
            What to train now, and what was trained before: milestones count on, and
            batches are in another order.
        """
        one = TrainingSet(self._tensor(X), torch.from_numpy(y))
        self._go_on(one, X, stages, after=after)

    def _go_on(
        self,
        one: TrainingSet,
        X: Rows,
        stages: Sequence[Stage],
        *,
        after: Sequence[Stage],
    ) -> None:
        seeds = device.seeds(self.random_state, self.n_members)
        one = one.to(device.resolve(self.device))
        self._thaw()
        run = self._run(self.net_, [one] * len(seeds), seeds, stages, after)
        self.loss_curve_ = np.concatenate([self.loss_curve_, self._learn(run)])
        self._conclude(run, X)

    def _thaw(self) -> None:
        """Let the network train on, but for what `_build` has frozen."""
        first = self._rebuild_net(self.net_.state_dict())
        for own, new in zip(self.net_.parameters(), first.parameters(), strict=True):
            own.requires_grad_(new.requires_grad)

    def _training_set(
        self, X: Rows, codes: labels.Codes, auxiliary: Rows | None
    ) -> TrainingSet:
        if self.patience is not None:
            held_out = self._held_out(codes)
            rest = self._training_set_of(X[~held_out], codes[~held_out], auxiliary)
            return replace(rest, held_out=self._tensor(X[held_out]))
        return self._training_set_of(X, codes, auxiliary)

    def _held_out(self, codes: labels.Codes) -> NDArray[np.bool_]:
        """Draw the rows by which early stopping judges: none is a known anomaly."""
        may = np.flatnonzero(codes != labels.ANOMALY)
        count = math.ceil(early.SHARE * len(may))
        if not 0 < count < len(may):
            raise DataError(
                f"patience={self.patience} holds rows out, and {len(may)} row that is "
                "no known anomaly is too few; use patience=None"
            )
        rng = np.random.default_rng(device.seeds(self.random_state, 1)[0] ^ _HELD_OUT)
        mask = np.zeros(len(codes), dtype=bool)
        mask[rng.choice(may, count, replace=False)] = True
        return mask

    def _training_set_of(
        self, X: Rows, codes: labels.Codes, auxiliary: Rows | None
    ) -> TrainingSet:
        self.scaler_ = None
        if X.ndim == 2:
            # Known anomalies would set the units by which they are to stand out.
            odd = codes == labels.ANOMALY
            self.scaler_ = Scaler.fit(X[~odd] if odd.any() else X, self.scaling)
        return self._scaled_set(X, codes, auxiliary)

    def _scaled_set(
        self, X: Rows, codes: labels.Codes, auxiliary: Rows | None
    ) -> TrainingSet:
        if self.uses_auxiliary:
            self.auxiliary_given_ = auxiliary is not None
        outliers = None if auxiliary is None else self._tensor(auxiliary)
        return TrainingSet(self._tensor(X), torch.from_numpy(codes), outliers)

    def _first_run(
        self,
        sets: Sequence[TrainingSet],
        seeds: list[int],
        stages: Sequence[Stage] = (),
    ) -> Run:
        """Set up a training from first weights."""
        where = device.resolve(self.device)
        moved = {id(one): one.to(where) for one in sets}
        net = self._first_weights(seeds).to(where)
        return self._run(net, [moved[id(one)] for one in sets], seeds, stages, None)

    def _run(
        self,
        net: nn.Module,
        sets: Sequence[TrainingSet],
        seeds: list[int],
        stages: Sequence[Stage],
        after: Sequence[Stage] | None,
    ) -> Run:
        schedule = train.Schedule(
            epochs=self._n_epochs,
            lr=self.lr,
            weight_decay=self.weight_decay,
            milestones=tuple(self.milestones),
            clip_norm=getattr(self, "clip_norm", None),
        )
        return Run(
            net,
            sets,
            seeds,
            method=type(self).__name__,
            batch_size=self.batch_size,
            schedule=schedule,
            salt=self._salt,
            stages=stages,
            after=after,
            patience=self.patience,
        )

    def _learn(self, run: Run) -> NDArray[np.float64]:
        """Train through all stages, keep the network, return each epoch's loss."""
        with device.threads(_work(run.net, self.batch_size)):
            with _masks(run.net, [seed ^ _BEFORE for seed in run.seeds]):
                self._begin(run)
            run.plan(Stage("training", unlabelled, self._n_epochs))
            run.net.train()
            with _masks(run.net, run.seeds):
                for stage in run.each_stage():
                    self._train(run, stage)
        self.net_ = run.net.eval().requires_grad_(False)
        self._keep_best_epochs(run.best_epoch)
        return run.curve

    def _keep_best_epochs(self, found: NDArray[np.int64] | None) -> None:
        if found is not None:
            self.best_epoch_ = np.atleast_1d(found)

    def _conclude(self, run: Run, X: Rows) -> None:
        """Compute what needs the trained network and all rows."""
        with device.threads(_work(run.net, self.batch_size)), torch.no_grad():
            self._end(run)
        self.member_scale_ = np.ones(self.n_members)
        if self.n_members > 1 and not self._one_unit:
            mean = self._member_scores(X).mean(axis=1)
            self.member_scale_ = np.where(mean > 0, mean, 1.0)

    def _first_weights(
        self, seeds: list[int], saved: Collection[str] = ()
    ) -> nn.Module:
        nets = []
        for seed in seeds:
            with device.seeded(seed):
                nets.append(self._build(self.input_shape_))
        for net in nets:
            lenet.restore_biases(net, saved)
        return nets[0] if len(nets) == 1 else stacked.stack(nets)

    def _tensor(self, X: Rows) -> Tensor:
        if X.ndim == 4:
            return torch.from_numpy(np.ascontiguousarray(to_unit(X)))
        assert self.scaler_ is not None
        scaled = self.scaler_.transform(X, np.float32)
        np.clip(scaled, -_FAR, _FAR, out=scaled)
        return torch.from_numpy(scaled)

    def _pieces(self, X: Rows) -> Iterator[Rows]:
        size = rows_at_once(self.net_, X[:1].size, self.n_members)
        for start in range(0, len(X), size):
            yield X[start : start + size]

    def _member_scores(self, X: Rows) -> Scores:
        """Score rows by each member, shape (n_members, n)."""
        with torch.set_grad_enabled(self._needs_gradient):
            parts = [
                self._score(self.net_, x).detach().double().cpu()
                for x in self._inputs(X)
            ]
        return torch.cat(parts, dim=-1).numpy().reshape(self.n_members, -1)

    def _inputs(self, X: Rows) -> Iterator[Tensor]:
        """Yield `_input` of the rows, in pieces."""
        # On small pieces, synchronising threads at every layer costs more than it
        # gains, especially on shared cores; only large layers are worth it.
        with device.threads(_work(self.net_, 1)):
            for piece in self._pieces(X):
                yield self._input(piece)

    def _input(self, X: Rows) -> Tensor:
        """Scale rows, and put them on the network's device with its member axis."""
        x = self._tensor(X).to(next(self.net_.parameters()).device)
        return x if self.n_members == 1 else x.expand(self.n_members, *x.shape)

    def _anomaly_score(self, X: Rows) -> Scores:
        scores = self._member_scores(X) / self.member_scale_[:, None]
        return np.asarray(scores.mean(axis=0))

    def _contributions(self, X: Rows) -> Scores:
        if self.explanation == "occlusion":
            return super()._contributions(X)
        parts = self._path_gradients(X)
        return parts if X.ndim == 2 else np.abs(parts).sum(axis=1)

    def _path_gradients(self, X: Rows) -> Scores:
        """Integrate gradients of the score from the typical row to each row.

        The contributions of a row add up to its score less that of the typical row
        (Sundararajan et al., Axiomatic Attribution for Deep Networks, ICML 2017).
        """
        x, base = self._tensor(X), self._tensor(self.typical_[None])
        where = next(self.net_.parameters()).device
        x, base = x.to(where), base.to(where)
        scale = torch.as_tensor(self.member_scale_, device=where).float()
        total = torch.zeros_like(x)
        for step in range(_STEPS_OF_PATH):
            at = base + (x - base) * ((step + 0.5) / _STEPS_OF_PATH)
            at.requires_grad_()
            many = at if self.n_members == 1 else at.expand(self.n_members, *at.shape)
            scores = self._score(self.net_, many)
            if self.n_members > 1:
                scores = (scores / scale[:, None]).mean(0)
            total += torch.autograd.grad(scores.sum(), at)[0]
        path = (x - base) * total / _STEPS_OF_PATH
        return np.asarray(path.double().cpu().numpy())

    def _rebuild_net(self, saved: Iterable[str] = ()) -> nn.Module:
        """Build the fitted architecture, for a file's weights of these names."""
        names = {stacked.dotted(name) for name in saved}
        return self._first_weights([0] * self.n_members, names)

    def _restore_network(self, name: str, arrays: dict[str, NDArray[Any]]) -> nn.Module:
        """Build the network of a fitted attribute with the weights of a file.

        Others than `net_` are built by a method of their name: `codes_` by
        `_build_codes(shape)`.
        """
        state = {key: torch.from_numpy(array) for key, array in arrays.items()}
        if name == "net_":
            net = self._rebuild_net(state)
        else:
            net = getattr(self, f"_build_{name.rstrip('_')}")(self.input_shape_)
        net.load_state_dict(state)
        asked = (
            self.device
            if self.device.partition(":")[0] in device.available()
            else "auto"
        )
        return net.to(device.resolve(asked)).eval().requires_grad_(False)


@contextlib.contextmanager
def _masks(net: nn.Module, seeds: Sequence[int]) -> Iterator[None]:
    """Run a training with masks of dropout that follow from the members' seeds."""
    layers = list(stacked.layers(net))
    # Of networks from outside: torch's dropout has the global generator and no other.
    others = any(
        isinstance(layer, nn.Dropout) and not isinstance(layer, noise.OwnDropout)
        for layer in layers
    )
    with contextlib.ExitStack() as stack:
        if others:
            stack.enter_context(device.seeded(seeds[0]))
        where = next(net.parameters()).device
        stack.enter_context(noise.masks(layers, seeds, where))
        yield


def _check_counts(name: str, values: Sequence[Any], method: str) -> None:
    """Check that widths and epochs are positive integers, and `hidden` has one."""
    whole = all(isinstance(v, int | np.integer) and v >= 1 for v in values)
    if not whole or (name == "hidden" and not values):
        example = "(50, 100)" if name == "milestones" else "(64, 32)"
        raise ParameterError(
            f"{name}={values!r} of {method} must hold positive whole numbers; use for "
            f"example {example}"
        )


def _work(net: nn.Module, batch_size: int) -> float:
    """Estimate the multiply-adds of a step; convolutions count as large."""
    if any(isinstance(layer, nn.Conv2d) for layer in stacked.layers(net)):
        return float("inf")
    return 3.0 * batch_size * sum(p.numel() for p in net.parameters())
