"""The model: from a `model` section to a network with fresh weights, and its exact size."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from chapbook.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

# What Chapbook fills in: the tokenizer and the block length decide, so that they can never disagree.
FILLED_IN = ("vocab_size", "bos_token_id", "eos_token_id", "pad_token_id")


def problems(model: dict[str, Any], max_length: int | None) -> list[str]:
    """Everything that is wrong with a `model` section, one line each. Imports transformers."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    kind = model.get("model_type", "gpt2")
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        close = difflib.get_close_matches(str(kind), MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "for example gpt2 or llama"
        return [f"model.model_type = {kind!r}: is no causal language model of transformers ({hint})"]
    example = CONFIG_MAPPING[kind]()
    values = {key: value for key, value in model.items() if key != "model_type"}
    found = [line for key, value in values.items() if (line := _key_problem(key, value, example, max_length))]
    if found:
        return found
    try:
        config = type(example)(**values)
    except Exception as error:  # each model family validates in its own way; whatever it says is the person's problem
        return [f"model: {' '.join(str(error).split())}"]
    width, heads = getattr(config, "hidden_size", 0), getattr(config, "num_attention_heads", 1)
    if width % heads == 0:
        return []
    works = [h for h in range(1, width + 1) if width % h == 0 and width // h >= 8]
    nearest = min(works, key=lambda h: abs(h - heads)) if works else 1
    return [
        f"model: width {width} cannot be shared by {heads} attention heads; "
        f"{nearest} heads of {width // nearest} would work"
    ]


def _key_problem(key: str, value: Any, example: PretrainedConfig, max_length: int | None) -> str | None:
    """What is wrong with one key of the section; `example` is a default configuration of its family."""
    known = {name for name in (*vars(example), *example.attribute_map) if not name.startswith("_")}
    default = getattr(example, key, None)
    message = None
    if key in FILLED_IN:
        message = "is filled in from the tokenizer; leave it out"
    elif example.attribute_map.get(key, key) in ("n_positions", "max_position_embeddings", "n_ctx"):
        if max_length is not None and value != max_length:
            message = f"contradicts pretokenize.max_length = {max_length}; leave it out"
    elif key not in known:
        close = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {close[0]}?" if close else "see its configuration class"
        return f"model.{key}: there is no such key in {example.model_type} ({hint})"
    elif type(default) is int and (type(value) is not int or value < 1):
        message = "should be a whole number of at least 1"
    elif key.endswith(("pdrop", "dropout")) and not (isinstance(value, int | float) and 0 <= value <= 1):
        message = "should be between 0 and 1"
    return f"model.{key} = {value!r}: {message}" if message else None


def model_config(model: dict[str, Any], *, vocab_size: int, max_length: int, end_of_text: int) -> PretrainedConfig:
    """The transformers configuration of a run's model.

    vocab_size and end_of_text (an id) come from the tokenizer, max_length (positions) from the token blocks.
    Raises ConfigError when the section is wrong.
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if found := problems(model, max_length):
        raise ConfigError(found, "the model section")
    values = {key: value for key, value in model.items() if key != "model_type"}
    config_class = CONFIG_MAPPING[model.get("model_type", "gpt2")]
    length = "n_positions" if "max_position_embeddings" in config_class.attribute_map else "max_position_embeddings"
    # One token ends a text and, before the first, starts it. There is no padding in packed blocks.
    return config_class(
        **values | {length: max_length},
        vocab_size=vocab_size,
        bos_token_id=end_of_text,
        eos_token_id=end_of_text,
        pad_token_id=None,
    )


def new_model(config: PretrainedConfig) -> PreTrainedModel:
    """A model with fresh random weights in fp32; seed torch before."""
    from transformers import AutoModelForCausalLM

    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    return model


def parameter_count(model: PreTrainedModel) -> int:
    """The exact number of parameters; tied ones count once."""
    return sum(parameter.numel() for parameter in model.parameters())
