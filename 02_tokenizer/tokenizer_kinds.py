"""The kinds of tokenizer, and how each is trained. All are lossless: every text comes back byte for byte.

They share one pipeline: a published regular expression cuts text into words, each word is written as bytes (one
printable character per byte, as GPT-2 does), and a model cuts the bytes into tokens. All 256 bytes are tokens of
every kind, so no text is unknown to any of them.

- `bpe`: byte pair encoding (Sennrich, Haddow and Birch 2016) over bytes (Radford et al. 2019, GPT-2). With a
  `superword_share` the last part of the vocabulary is learnt across word boundaries (SuperBPE: Liu et al. 2025).
- `unigram`: the likeliest segmentation under a unigram language model (Kudo 2018).
- `char`: one token per character that training has seen often enough; others fall back to bytes.
- `byte`: nothing is learnt.
"""

from __future__ import annotations

import io
import itertools
import json
import operator
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from chapbook.config import TokenizerConfig
from chapbook.log import log
from chapbook.tokenizer import END_OF_TEXT, GPT2_PATTERN, PAD

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# The published pre-tokenisation patterns, letter for letter (o200k_base and cl100k_base of tiktoken, GPT-2).
# Other spellings of the same expressions lose the fast paths of other engines.
PATTERNS = {
    "o200k": "|".join(
        [
            r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
            r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
            r"""\p{N}{1,3}""",
            r""" ?[^\s\p{L}\p{N}]+[\r\n/]*""",
            r"""\s*[\r\n]+""",
            r"""\s+(?!\S)""",
            r"""\s+""",
        ]
    ),
    "cl100k": (
        r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"""
        r""" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
    ),
    "gpt2": GPT2_PATTERN,
}

# What a superword may not cross: the end of a sentence or line, and a number, which is cut as o200k cuts it.
SENTENCES = r"""\p{N}{1,3}|\s*[\r\n]+|[^\p{N}\r\n.!?]+[.!?]*["'”’»)\]]*[\r\n]*|[.!?]+["'”’»)\]]*[\r\n]*"""

# Superwords are learnt from at most this much text: sentences hardly ever repeat, as words do, and each is held in
# memory with its pairs. 48 MB of novels took 1.2 GB of memory with this limit, 0.4 GB without superwords.
SUPERWORD_BYTES = 20_000_000

# A unigram vocabulary is chosen among at most this many pieces (the default of sentencepiece) of at most this many
# bytes, found in at most this many of the most frequent words, so that memory does not grow with the text.
CANDIDATES = 1_000_000
LONGEST_PIECE = 16
CANDIDATE_WORDS = 200_000

# Whole novels as single strings train 1.6 times slower than pieces of this size.
PIECE_CHARACTERS = 10_000
# Between two words, before the space: every pattern starts a new word there.
_CUT = re.compile(r"(?<=\w)(?= \w)")

# The characters that stand for the tokens of the first stage while superwords are learnt: all beyond the Basic
# Multilingual Plane, a million without a surrogate among them.
_STAND_IN = 0x10000

# How the text for training is read: given a limit in bytes (None: all there is), pieces of text.
Reader = Callable[[int | None], Iterable[str]]


def special_tokens(settings: TokenizerConfig) -> list[str]:
    """The special tokens in the order of their ids, which start at 0."""
    return list(dict.fromkeys([END_OF_TEXT, *([PAD] if settings.pad_token else []), *settings.special_tokens]))


def cut_pieces(text: str) -> Iterator[str]:
    """Cut a text between words into pieces of about 10,000 characters; joined they are the text."""
    start = 0
    while len(text) - start > 2 * PIECE_CHARACTERS:
        match = _CUT.search(text, start + PIECE_CHARACTERS)
        if match is None:
            break
        yield text[start : match.start()]
        start = match.start()
    if start < len(text):
        yield text[start:]


def train(settings: TokenizerConfig, read: Reader) -> Tokenizer:
    """Train a tokenizer of `settings.kind` on the text that `read` gives.

    Size of the vocabulary: bpe and unigram `vocab_size`, or fewer where the text has no more to learn; char at most
    `vocab_size`; byte always 256 and the special tokens. Ids: special tokens, then the rest. The same text gives the
    same tokenizer at any number of threads.
    """
    trainers = {"bpe": _train_bpe, "unigram": _train_unigram, "char": _train_char, "byte": _train_byte}
    return trainers[settings.kind](settings, read)


def names_of_bytes() -> list[str]:
    """The character that stands for each byte in a byte-level vocabulary, as GPT-2 chose them.

    Printable characters of Latin-1 stand for themselves, the other bytes for U+0100 and on.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def _pipeline(model: Any, pattern: str, special: list[str]) -> Tokenizer:
    """The model behind its pre-tokeniser. `special`: tokens the model's vocabulary has already."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, pre_tokenizers

    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    return tokenizer


def _train_bpe(settings: TokenizerConfig, read: Reader) -> Tokenizer:
    from tokenizers import models, trainers

    tokenizer = _pipeline(models.BPE(), PATTERNS[settings.pattern], [])
    trainer = trainers.BpeTrainer(
        vocab_size=round(settings.vocab_size * (1 - settings.superword_share)),
        min_frequency=settings.min_frequency,
        special_tokens=special_tokens(settings),
        initial_alphabet=sorted(names_of_bytes()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(read(None), trainer)
    return _add_superwords(tokenizer, settings, read) if settings.superword_share else tokenizer


def _add_superwords(words: Tokenizer, settings: TokenizerConfig, read: Reader) -> Tokenizer:
    """The second stage of SuperBPE: go on merging, now across words but inside sentences (Liu et al. 2025).

    The same trainer learns it: a sentence is one "word" whose characters are the tokens of the first stage. The
    merges of both stages in a row are an ordinary BPE model.
    """
    from tokenizers import Tokenizer, models, trainers

    model = json.loads(words.to_str())["model"]
    vocabulary: dict[str, int] = model["vocab"]
    merges = [(left, right) for left, right in model["merges"]]
    special = special_tokens(settings)
    names = {chr(_STAND_IN + number): token for token, number in vocabulary.items()}
    sentences = _pipeline(models.BPE(vocab=vocabulary, merges=merges), SENTENCES, special)
    sentences.encode_special_tokens = True

    def stand_ins() -> Iterator[list[str]]:
        for text in read(SUPERWORD_BYTES):
            encoding = sentences.encode(text, add_special_tokens=False)
            tokens = zip(encoding.word_ids, encoding.ids, strict=True)
            yield [
                "".join(chr(_STAND_IN + number) for _, number in sentence)
                for _, sentence in itertools.groupby(tokens, key=operator.itemgetter(0))
            ]

    wanted = settings.vocab_size - len(vocabulary)
    learner = Tokenizer(models.BPE())
    # Some superwords are spelt like tokens that exist (`a` `b` `le` and `able`) and add nothing: learn some more.
    trainer = trainers.BpeTrainer(
        vocab_size=len(vocabulary) + wanted + wanted // 8 + 16,
        min_frequency=settings.min_frequency,
        initial_alphabet=sorted(names),
        show_progress=False,
    )
    log.info("learning superwords")
    learner.train_from_iterator(stand_ins(), trainer)

    known = set(merges)
    refused = set()
    for left, right in json.loads(learner.to_str())["model"]["merges"]:
        pair = ("".join(names[c] for c in left), "".join(names[c] for c in right))
        token = "".join(pair)
        # A text that spells a special token out must never get its id.
        if token in special or left in refused or right in refused:
            refused.add(left + right)
            continue
        if token not in vocabulary:
            if len(vocabulary) == settings.vocab_size:
                break
            vocabulary[token] = len(vocabulary)
        if pair not in known:
            known.add(pair)
            merges.append(pair)
    return _pipeline(models.BPE(vocab=vocabulary, merges=merges), SENTENCES, special)


def _train_unigram(settings: TokenizerConfig, read: Reader) -> Tokenizer:
    """Kudo's own implementation (sentencepiece) over the counts of words written as bytes.

    The trainer of `tokenizers` gives other scores in every process, because it sums in the order of a randomly
    seeded hash table.
    """
    import sentencepiece
    from tokenizers import models

    cutter = _pipeline(models.BPE(), PATTERNS[settings.pattern], []).pre_tokenizer
    counts: Counter[str] = Counter()
    for text in read(None):
        counts.update(word for word, _ in cutter.pre_tokenize_str(text))
    if not counts:
        return _byte_tokenizer(settings, [])
    special, unseen = special_tokens(settings), sorted(set(names_of_bytes()).difference(*counts))
    written = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".tsv") as seeds:
        seeds.writelines(f"{piece}\t{count}\n" for piece, count in _candidates(counts, settings))
        seeds.flush()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(f"{word}\t{counts[word]}" for word in sorted(counts)),
            input_format="tsv",
            seed_sentencepieces_file=seeds.name,
            model_writer=written,
            model_type="unigram",
            # One more than is taken: its own token for the unknown.
            vocab_size=settings.vocab_size - len(special) - len(unseen) + 1,
            hard_vocab_limit=False,
            character_coverage=1.0,
            # The words are cut and written as bytes already; nothing else may happen to them.
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            split_by_unicode_script=False,
            split_by_number=False,
            max_sentencepiece_length=LONGEST_PIECE,
            bos_id=-1,
            eos_id=-1,
            # Sums of floating-point numbers depend on how many threads share them.
            num_threads=1,
            minloglevel=2,
        )
    model = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    numbers = (number for number in range(model.get_piece_size()) if number != model.unk_id())
    pieces = [(model.id_to_piece(number), model.get_score(number)) for number in numbers]
    # Bytes that never occurred: ten nats less likely than the rarest piece.
    lowest = min(score for _, score in pieces) - 10
    vocabulary = [*((token, 0.0) for token in special), *pieces, *((byte, lowest) for byte in unseen)]
    return _pipeline(models.Unigram(vocab=vocabulary), PATTERNS[settings.pattern], special)


def _candidates(counts: Counter[str], settings: TokenizerConfig) -> list[tuple[str, int]]:
    """The pieces that training starts from, with their counts: all bytes, and what covers most of the text.

    sentencepiece would look for them in the list of different words, where every word stands once, and so find
    no whole words.
    """
    bytes_seen: Counter[str] = Counter()
    longer: Counter[str] = Counter()
    for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:CANDIDATE_WORDS]:
        for start in range(len(word)):
            for end in range(start + 2, min(len(word), start + LONGEST_PIECE) + 1):
                longer[word[start:end]] += count
    for word, count in counts.items():
        for byte in word:
            bytes_seen[byte] += count
    often = [(piece, count) for piece, count in longer.items() if count >= settings.min_frequency]
    often.sort(key=lambda item: (-item[1] * len(item[0]), item[0]))
    return [*sorted(bytes_seen.items()), *often[:CANDIDATES]]


def _train_char(settings: TokenizerConfig, read: Reader) -> Tokenizer:
    """A token for each character, the most frequent first: its bytes are merged from left to right, and only they."""
    counts: Counter[str] = Counter()
    for text in read(None):
        counts.update(text)
    often = [c for c, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if n >= settings.min_frequency]
    return _byte_tokenizer(settings, often)


def _train_byte(settings: TokenizerConfig, read: Reader) -> Tokenizer:
    for _ in read(None):  # Nothing is learnt, but an empty corpus is an error for every kind.
        break
    return _byte_tokenizer(settings, [])


def _byte_tokenizer(settings: TokenizerConfig, characters: list[str]) -> Tokenizer:
    """Tokens for the 256 bytes and, as far as `vocab_size` allows, for these characters."""
    from tokenizers import models

    special = special_tokens(settings)
    vocabulary = {token: number for number, token in enumerate([*special, *sorted(names_of_bytes())])}
    names = names_of_bytes()
    merges = []
    for character in characters:
        units = [names[byte] for byte in character.encode("utf-8")]
        # The beginning of a character of three or four bytes is a token too, shared with its neighbours.
        steps = [("".join(units[:n]), units[n]) for n in range(1, len(units))]
        new = [(left, right) for left, right in steps if left + right not in vocabulary]
        if len(vocabulary) + len(new) > settings.vocab_size:
            break
        for left, right in new:
            vocabulary[left + right] = len(vocabulary)
            merges.append((left, right))
    return _pipeline(models.BPE(vocab=vocabulary, merges=merges), PATTERNS[settings.pattern], special)
