"""How much of a GPU a run uses: floating-point operations per token, and the peak they are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Dense matrix products with 16-bit inputs and fp32 sums, in TFLOP/s, from NVIDIA's data sheets and architecture
# white papers (figures "with sparsity" halved). The first name that is part of the device's decides.
PEAK_TFLOPS = (
    ("B200", 2250.0),
    ("H200", 989.4),
    ("GH200", 989.4),
    ("H100 PCIe", 756.0),
    ("H100 NVL", 835.5),
    ("H100", 989.4),
    ("A100", 312.0),
    ("A30", 165.0),
    ("A40", 149.7),
    ("L40S", 362.1),
    ("L40", 181.1),
    ("L4", 121.0),
    ("RTX 6000 Ada", 364.2),
    ("RTX A6000", 154.8),
    ("RTX 4090", 165.2),
    ("RTX 4080", 97.5),
    ("RTX 3090", 71.0),
    ("V100", 125.0),
    ("T4", 65.0),
)


def flops_per_token(model: PreTrainedModel, length: int) -> float:
    """Floating-point operations of training on one token: 6 per weight that multiplies it, and attention.

    length: tokens per block. Counted as in PaLM (Chowdhery et al. 2022, appendix B): forward 2 and backward 4 per
    weight, attention 12 x layers x width x length. Embeddings are looked up, not multiplied, unless they are the
    output matrix too.
    """
    output = model.get_output_embeddings()
    looked_up = {
        id(module.weight): module.weight.numel()
        for module in model.modules()
        if isinstance(module, nn.Embedding) and (output is None or module.weight is not output.weight)
    }
    weights = sum(parameter.numel() for parameter in model.parameters()) - sum(looked_up.values())
    config = model.config
    return 6.0 * weights + 12.0 * config.num_hidden_layers * config.hidden_size * length


def peak_flops(device_name: str) -> float | None:
    """The peak of one device in FLOP/s, or None for one that is not in the table: better no share than a wrong one."""
    return next((tera * 1e12 for name, tera in PEAK_TFLOPS if name in device_name), None)
