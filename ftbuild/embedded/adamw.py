"""Steps of AdamW (Loshchilov and Hutter, 2019) by torch's own fused arithmetic.

`torch.optim.AdamW` does the same to the last bit, but loads the compiler of torch when it is made: a second of CPU for
every job, and nothing is compiled here.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.optim.adamw import adamw

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class AdamW:
    """The moments of parameters, and the steps that they take."""

    def __init__(self, parameters: Sequence[Tensor], weight_decay: float) -> None:
        """Begin without a step."""
        self._parameters, self._weight_decay = list(parameters), weight_decay
        self._steps = [torch.zeros((), device=each.device) for each in parameters]
        self._means = [torch.zeros_like(each) for each in parameters]
        self._squares = [torch.zeros_like(each) for each in parameters]

    def forget(self) -> None:
        """Have no gradients."""
        for each in self._parameters:
            each.grad = None

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move every parameter against its gradient."""
        adamw(
            self._parameters,
            [each.grad for each in self._parameters if each.grad is not None],
            self._means,
            self._squares,
            [],
            self._steps,
            fused=True,
            amsgrad=False,
            beta1=BETA1,
            beta2=BETA2,
            lr=rate,
            weight_decay=self._weight_decay,
            eps=EPSILON,
            maximize=False,
        )

    def moments(self) -> dict[str, Tensor]:
        """Return what the next step depends on besides parameters and gradients, by name."""
        return {
            f"{number}.{name}": moments[number]
            for name, moments in self._named().items()
            for number in range(len(moments))
        }

    def take_up(self, moments: Mapping[str, Tensor]) -> None:
        """Go on with such moments."""
        for name, mine in self._named().items():
            for number, each in enumerate(mine):
                each.copy_(moments[f"{number}.{name}"])

    def _named(self) -> dict[str, list[Tensor]]:
        return {"step": self._steps, "exp_avg": self._means, "exp_avg_sq": self._squares}
