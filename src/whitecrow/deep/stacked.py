"""Many members (or seeds) of one network, trained as one batched network.

`stack` joins networks of one architecture into a module whose parameters have a leading
member dimension and whose input and output have one too. Blocks of
`whitecrow.deep.nets.mlp` run such parameters as they are, in one batched product a
layer; any other module runs under `torch.func.vmap`. Both equal the members one by one
to float tolerance.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from whitecrow.deep.nets.noise import OwnDropout

__all__ = ["dotted", "layers", "member", "runs_stacked", "stack"]

# Layers without parameters that act on each element by itself.
_ELEMENTWISE = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.Tanh,
    nn.Sigmoid,
    nn.ELU,
    nn.Softplus,
    nn.Identity,
    nn.Dropout,
)


def runs_stacked(net: nn.Module) -> bool:
    """Tell whether a module takes parameters with a leading member axis itself."""
    if isinstance(net, _ELEMENTWISE):
        return True
    own = isinstance(net, nn.Sequential) or getattr(net, "has_member_axis", False)
    return own and all(runs_stacked(child) for child in net.children())


def stack(nets: Sequence[nn.Module]) -> nn.Module:
    """Stack all members as one module: `(members, batch, ...)` in and out.

    Parameters
    ----------
    nets : sequence of Module
        Members of equal architecture.

    Examples
    --------
    >>> nets = [nn.Linear(3, 2) for _ in range(4)]
    >>> stack(nets)(torch.zeros(4, 5, 3)).shape
    torch.Size([4, 5, 2])
    """
    if not runs_stacked(nets[0]):
        return Mapped(nets)
    joined = copy.deepcopy(nets[0])
    for path, module in joined.named_modules():
        originals = [net.get_submodule(path) for net in nets]
        for name, parameter in module.named_parameters(recurse=False):
            tensors = [getattr(original, name).detach() for original in originals]
            stacked = nn.Parameter(torch.stack(tensors), parameter.requires_grad)
            setattr(module, name, stacked)
        for name, _ in module.named_buffers(recurse=False):
            tensors = [getattr(original, name) for original in originals]
            setattr(module, name, torch.stack(tensors))
    return joined


def member(stacked: nn.Module, template: nn.Module, index: int) -> nn.Module:
    """Extract one member of a stacked module as a module of its own.

    Parameters
    ----------
    stacked : Module
        What `stack` gave.
    template : Module
        A network of the same architecture; it is overwritten and returned.
    index : int
        Which member.
    """
    inner = stacked.state() if isinstance(stacked, Mapped) else stacked.state_dict()
    template.load_state_dict({name: part[index] for name, part in inner.items()})
    return template


def layers(net: nn.Module) -> Iterator[nn.Module]:
    """Yield all modules of a network or of the architecture that a stack runs.

    Examples
    --------
    >>> nets = [nn.Sequential(nn.Conv2d(1, 2, 3), nn.Dropout()) for _ in range(2)]
    >>> any(isinstance(layer, nn.Dropout) for layer in layers(stack(nets)))
    True
    """
    yield from (net._template[0] if isinstance(net, Mapped) else net).modules()


class Mapped(nn.Module):
    """Members of any architecture under `torch.func.vmap`."""

    has_member_axis = True

    def __init__(self, nets: Sequence[nn.Module]) -> None:
        super().__init__()
        parameters, buffers = stack_module_state(list(nets))
        self._names = list(parameters), list(buffers)
        for name, value in parameters.items():
            own = nn.Parameter(value.detach(), value.requires_grad)
            self.register_parameter(_flat(name), own)
        for name, value in buffers.items():
            self.register_buffer(_flat(name), value.clone())
        # In a tuple, so that it is not registered: only its structure is used.
        self._template = (copy.deepcopy(nets[0]),)

    def state(self) -> dict[str, Tensor]:
        """Return stacked parameters and buffers by their names in the architecture."""
        names = [*self._names[0], *self._names[1]]
        return {name: getattr(self, _flat(name)) for name in names}

    def forward(self, x: Tensor) -> Tensor:
        """Run member i on `x[i]`."""
        template = self._template[0]
        template.train(self.training)
        state = self.state()
        dropping = [
            layer
            for layer in template.modules()
            if isinstance(layer, OwnDropout) and layer.generators
        ]
        if self.training and dropping:
            return self._one_by_one(x, state, dropping)

        def run(state: dict[str, Tensor], x: Tensor) -> Tensor:
            result: Tensor = functional_call(template, state, (x,))
            return result

        result: Tensor = vmap(run, randomness="different")(state, x)
        return result

    def _one_by_one(
        self, x: Tensor, state: dict[str, Tensor], dropping: list[OwnDropout]
    ) -> Tensor:
        """Run the members in turn, each with the masks that it has alone."""
        every = [layer.generators for layer in dropping]
        found = []
        for i, rows in enumerate(x):
            for layer, generators in zip(dropping, every, strict=True):
                layer.generators = generators[i : i + 1]
            own = {name: part[i] for name, part in state.items()}
            found.append(functional_call(self._template[0], own, (rows,)))
        for layer, generators in zip(dropping, every, strict=True):
            layer.generators = generators
        return torch.stack(found)


def dotted(name: str) -> str:
    """Name a parameter of a stack as its architecture does.

    Examples
    --------
    >>> dotted("encoder__0__bias")
    'encoder.0.bias'
    """
    return name.replace("__", ".")


def _flat(name: str) -> str:
    """Turn a dotted name into one that a module accepts."""
    return name.replace(".", "__")
