"""The tokenizer as the stages use it: load it, encode documents with it.

Documents are encoded so that text is text: the literal string `<|endoftext|>` inside a document becomes
ordinary tokens, never the special one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chapbook.errors import ArtifactError, ChapbookError
from chapbook.log import log

if TYPE_CHECKING:
    from tokenizers import Tokenizer

END_OF_TEXT = "<|endoftext|>"
PAD = "<|pad|>"

# encode_batch is parallel within a batch; this many characters keep both its memory (about 40 bytes a
# character) and the waiting at its end small.
BATCH_CHARACTERS = 4_000_000


def load_tokenizer(directory: Path) -> Tokenizer:
    """The tokenizer of an artifact or checkpoint directory, set to read special tokens in texts as text.

    Raises ArtifactError when `tokenizer.json` is not there.
    """
    from tokenizers import Tokenizer

    path = directory / "tokenizer.json"
    if not path.is_file():
        raise ArtifactError(f"There is no tokenizer.json in {directory}. Make it with: train_tokenizer.py")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    return tokenizer


def end_of_text_id(tokenizer: Tokenizer) -> int:
    """The id of the token that separates documents. Raises ArtifactError when the tokenizer has none."""
    token = tokenizer.token_to_id(END_OF_TEXT)
    if token is None:
        raise ArtifactError(f"The tokenizer has no {END_OF_TEXT} token. Train it with train_tokenizer.py.")
    return int(token)


def encode_documents(tokenizer: Tokenizer, texts: Iterable[str]) -> Iterator[list[int]]:
    """The token ids of each text, in order; no special tokens are added."""
    for batch in text_batches(texts):
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            yield encoding.ids


def text_batches(texts: Iterable[str], limit: int = BATCH_CHARACTERS) -> Iterator[list[str]]:
    """Texts in lists of at least `limit` characters (the last one: what is left)."""
    batch: list[str] = []
    characters = 0
    for text in texts:
        batch.append(text)
        characters += len(text)
        if characters >= limit:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


# What tokenizers get wrong when they differ: white space at every place, line ends, numbers, contractions, marks that
# combine, scripts without spaces, all widths of UTF-8, private and unassigned characters, long runs.
PROBES = (
    "",
    " ",
    "\n",
    "The day's work: 'tis done, he'd say; WE'LL see, I'M sure. O'Connell's O'CONNELL'S",
    "1 22 333 4444 1,234,567.89 £5 3s. 6d. 1750–1850 ½ Ⅷ ²",
    "a\r\nb\rc\n\n\nd \n e\t\tf  \t g\u00a0h\u2003i\u2028j\u0085k\x0bl",
    "   leading,  double,   triple and trailing   ",
    "\ufeffﬁrſt ﬂoor, cafe\u0301 = café, ǅ, ß, İı, \u0301alone",
    "Ελληνικά, русский, العربية עברית, हिन्दी, ไทย, 中文字符、日本語テキスト。한국어",
    "😀👩‍👩‍👧‍👦🇬🇧 \U0001d54f \U00020000 \ue000 \U0010ffff \x00\x1b\x7f",
    "!?...---***///\\\\ <<<>>> {[(<|>)]} http://example.org/a_b?c=d#e @x #y",
    " " * 300 + "x" * 300 + "é" * 300 + "\n" * 300 + "ab" * 300 + "!" * 300 + "7" * 300,
)


GPT2_PATTERN = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


class Encoder:
    """Encodes whole documents with the fastest engine that gives exactly the tokenizer's ids.

    That is gigatoken (30 to 100 times faster than `tokenizers`; docs/BENCHMARKS.md) where it knows the kind of
    tokenizer. It is young, so it is only used after it gave the same ids as `tokenizers` on `samples`, PROBES and
    the texts of all special tokens; otherwise one warning says why, and `tokenizers` does the work.
    """

    def __init__(self, directory: Path, samples: Iterable[str] = ()) -> None:
        self.tokenizer = load_tokenizer(directory)
        self.vocab_size: int = self.tokenizer.get_vocab_size()
        self.end_of_text = end_of_text_id(self.tokenizer)
        self.engine = f"tokenizers {metadata.version('tokenizers')}"
        self._fast: Any = None
        try:
            self._fast = _open_gigatoken((directory / "tokenizer.json").read_bytes())
            self._compare(samples)
            self.engine = f"gigatoken {metadata.version('gigatoken')}"
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # what Rust calls a panic is no Exception
            self._fast = None
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            reason = reason if len(reason) <= 120 else f"{reason[:117]}..."
            log.warning("gigatoken is not used (%s): tokenizing with %s, which is slower", reason, self.engine)

    def _compare(self, samples: Iterable[str]) -> None:
        """Raise ValueError where gigatoken gives other ids than `tokenizers`."""
        tokens = [token.content for token in self.tokenizer.get_added_tokens_decoder().values()]
        contexts = [form.format(token) for token in tokens for form in ("{0}", "a{0}b {0}\n{0}{0}", " {0} ")]
        texts = [*PROBES, *contexts, *samples]
        ids, lengths = self.encode(texts)
        starts = np.cumsum(lengths) - lengths
        for text, expected, start, length in zip(
            texts, encode_documents(self.tokenizer, texts), starts, lengths, strict=True
        ):
            if ids[start : start + length].tolist() != expected:
                raise ValueError(f"it gives other ids than tokenizers for {text[:40]!r}")

    def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The token ids of all texts after one another (uint32) and the number of ids of each text (int64)."""
        if self._fast is None:
            rows = list(encode_documents(self.tokenizer, texts))
            lengths = np.fromiter(map(len, rows), np.int64, len(rows))
            ids = np.fromiter((i for row in rows for i in row), np.uint32, int(lengths.sum()))
            return ids, lengths
        import awkward as ak

        encoded = self._fast.encode_batch(list(texts))
        return np.asarray(ak.flatten(encoded), np.uint32), np.asarray(ak.num(encoded), np.int64)

    def encode_all(self, texts: Iterable[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """As `encode`, batch by batch, in bounded memory (a document stays whole).

        Raises ChapbookError when a text gives an id that cannot come from text.
        """
        # Larger batches keep more cores busy; gigatoken needs 5 bytes a character, `tokenizers` 40.
        for batch in text_batches(texts, BATCH_CHARACTERS if self._fast is None else 8 * BATCH_CHARACTERS):
            ids, lengths = self.encode(batch)
            if len(ids) and (ids.max() >= self.vocab_size or (ids == self.end_of_text).any()):
                raise ChapbookError(f"{self.engine} gave the end-of-text token, or one that does not exist, for text.")
            yield ids, lengths


def _open_gigatoken(description: bytes) -> Any:
    """A gigatoken tokenizer for the content of a tokenizer.json; special tokens in texts are text.

    Raises whatever gigatoken raises for a kind of tokenizer that it does not know.
    """
    import gigatoken

    content = json.loads(description)
    # gigatoken always makes special tokens of their literal texts: here it must not know them.
    content["added_tokens"] = [token for token in content["added_tokens"] if not token["special"]]
    match content["pre_tokenizer"]:
        case {"pretokenizers": [{"pattern": {"Regex": pattern}}, {"type": "ByteLevel"} as bytes_step]}:
            if pattern == GPT2_PATTERN:
                # It knows this pattern only as what the step after it brings along itself.
                content["pre_tokenizer"] = bytes_step | {"use_regex": True}
    return gigatoken.Tokenizer.from_json(json.dumps(content))


# The files of a tokenizer, as transformers and the guides name them.
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt")


def copy_tokenizer(source: Path, destination: Path, model_max_length: int) -> None:
    """Put the tokenizer of `source` beside a model whose context is `model_max_length` tokens.

    The files are copied as they are, not saved anew: transformers 5 would name a class that 4.x cannot load.
    """
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, destination / name)
    path = destination / "tokenizer_config.json"
    settings = json.loads(path.read_text("utf-8")) | {"model_max_length": model_max_length}
    path.write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
