"""Bits per byte of texts, for `evaluate.load("04_evaluation/metrics/bits_per_byte")`; works offline."""

import math

import datasets
import evaluate

DESCRIPTION = """What a language model needs for a text, in bits per UTF-8 byte: comparable across tokenizers, sizes and
corpora, unlike loss or perplexity per token."""

INPUTS = """predictions: the summed negative log-likelihood of each text in nats, special tokens left out.
references: the texts.
Returns bits_per_byte over all texts together (not the mean over texts), and the bytes they have."""


class BitsPerByte(evaluate.Metric):
    """Summed nats and the texts they belong to, as one figure."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation="",
            inputs_description=INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": datasets.Value("string")}
            ),
        )

    def _compute(self, predictions: list[float], references: list[str]) -> dict[str, float]:
        size = sum(len(text.encode("utf-8")) for text in references)
        if not size:
            raise ValueError("there is no text: bits per byte of nothing is not defined")
        return {"bits_per_byte": sum(predictions) / math.log(2) / size, "bytes": size}
