"""Perplexity per word of texts, for `evaluate.load("04_evaluation/metrics/word_perplexity")`; works offline."""

import math

import datasets
import evaluate

DESCRIPTION = """How many words a language model is in doubt between, on average: exp of its loss per word. Comparable
across tokenizers, since words are counted in the text: runs of characters between white space."""

INPUTS = """predictions: the summed negative log-likelihood of each text in nats, special tokens left out.
references: the texts.
Returns word_perplexity over all texts together, and the words they have."""


class WordPerplexity(evaluate.Metric):
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
        words = sum(len(text.split()) for text in references)
        if not words:
            raise ValueError("there are no words: perplexity of nothing is not defined")
        return {"word_perplexity": math.exp(sum(predictions) / words), "words": words}
