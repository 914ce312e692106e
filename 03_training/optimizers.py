"""Muon for the matrices of the blocks, AdamW for everything else, as one optimiser.

Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) replaces a matrix's momentum by the nearest matrix whose
singular values are all equal. Embeddings, biases and norms are no such maps and stay with AdamW. The weights that come
out are plain: Muon is a matter of training alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D


class MuonAdamW(torch.optim.Optimizer):
    """torch.optim.Muon and torch.optim.AdamW behind one `step`, one list of groups and one state dict.

    model: its 2-D weights outside the embeddings and the output matrix go to Muon. lr: one peak rate for both, because
    Muon's updates are scaled to the size of AdamW's (`match_rms_adamw`, Liu et al. 2025, arXiv:2502.16982); that scale
    is the same for a matrix and its transpose, which GPT-2's Conv1D stores. weight_decay: on Muon's matrices and on the
    `decayed` names among the others. betas, eps: AdamW's. momentum: Muon's.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        lr: float,
        weight_decay: float,
        decayed: set[str],
        betas: tuple[float, float],
        eps: float,
        momentum: float = 0.95,
        fused: bool = False,
    ) -> None:
        names = matrix_names(model)
        parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._matrices = [(parameters[name], views) for name, views in _matrix_views(model, names)]
        others = [name for name in parameters if name not in names]
        self.muon = torch.optim.Muon(
            [view for _, views in self._matrices for view, _ in views],
            lr=lr,
            weight_decay=weight_decay,
            momentum=momentum,
            adjust_lr_fn="match_rms_adamw",
        )
        self.adamw = torch.optim.AdamW(
            [
                {"params": [parameters[n] for n in others if n in decayed], "weight_decay": weight_decay},
                {"params": [parameters[n] for n in others if n not in decayed], "weight_decay": 0.0},
            ],
            lr=lr,
            betas=betas,
            eps=eps,
            fused=fused,
        )
        # The base class keeps hooks and defaults; groups and state are those of the two.
        super().__init__(list(parameters.values()), {"lr": lr})
        self._share_groups()

    def _share_groups(self) -> None:
        # The very same mappings, so that a schedule that sets `lr` here sets it there.
        self.param_groups = self.muon.param_groups + self.adamw.param_groups

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update all parameters from their gradients. A closure is not supported."""
        assert closure is None
        for parameter, views in self._matrices:
            for view, part in views:
                view.grad = None if parameter.grad is None else part(parameter.grad)
        self.muon.step()  # type: ignore[no-untyped-call]
        self.adamw.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters."""
        for parameter, views in self._matrices:
            for tensor in (parameter, *(view for view, _ in views)):
                tensor.grad = None
        self.adamw.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """The state of both, each under its name."""
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what state_dict returned. Raises KeyError or ValueError for the state of another optimiser."""
        self.muon.load_state_dict(state_dict["muon"])
        self.adamw.load_state_dict(state_dict["adamw"])
        # Loading replaces the groups.
        self._share_groups()


def matrix_names(model: PreTrainedModel) -> set[str]:
    """Names of the weights that Muon updates: matrices that map one hidden state to another."""
    outside = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    if (output := model.get_output_embeddings()) is not None:
        outside.add(id(output.weight))
    return {name for name, p in model.named_parameters() if p.requires_grad and p.ndim == 2 and id(p) not in outside}


Part = Callable[[Tensor], Tensor]


def _matrix_views(model: PreTrainedModel, names: set[str]) -> Iterator[tuple[str, list[tuple[nn.Parameter, Part]]]]:
    """For each matrix the maps it holds, as parameters that share its memory, and how to cut one out of a gradient.

    GPT-2 keeps query, key and value in one matrix; orthogonalised together they would share one spectrum, so
    each is a map of its own here.
    """
    for name in sorted(names):
        owner = model.get_submodule(name.rpartition(".")[0])
        parameter = model.get_parameter(name)
        fused = isinstance(owner, Conv1D) and name.endswith("c_attn.weight")
        parts = [_columns(number, parameter.shape[0]) for number in range(3)] if fused else [_whole]
        yield name, [(nn.Parameter(part(parameter.data)), part) for part in parts]


def _columns(number: int, width: int) -> Part:
    return lambda matrix: matrix[:, number * width : (number + 1) * width]


def _whole(matrix: Tensor) -> Tensor:
    return matrix
