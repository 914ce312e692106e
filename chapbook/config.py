"""One YAML file = one whole run: typed sections, read with command-line overrides, all problems at once.

pydantic checks every key and collects all errors in one pass. `training` and `model` are checked by
`chapbook.training_arguments` and `chapbook.model`, which need transformers and so load only where needed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo, field_validator

from chapbook.errors import ConfigError, UsageError
from chapbook.section import Section, Share
from chapbook.source_config import KINDS, AnySource, CollectConfig, SourceEntry

# Letters and digits of any script, and . _ - after the first.
NAME_PATTERN = r"^\w[\w.-]*$"


class DuplicatesConfig(Section):
    """When two documents, or two paragraphs, are the same."""

    jaccard: float = Field(default=0.7, gt=0, le=1)
    """Of two documents that share this much of their distinct 5-grams (Jaccard) the longer is kept."""
    containment: float = Field(default=0.8, gt=0, le=1)
    """A document of which this share of the distinct 5-grams stands in a longer one goes too."""
    similar: float = Field(default=0.4, gt=0, le=1)
    """Documents at least so similar (either measure) that both stay are kept in one split."""
    paragraph_letters: int | None = Field(default=300, ge=50)
    """Paragraphs of at least so many letters are looked for in other documents; null: none."""
    paragraph_documents: int = Field(default=3, ge=2)
    """A paragraph that stands in at least so many documents, letter for letter, stays in the longest of them alone."""


def _in_order(years: tuple[int, int]) -> tuple[int, int]:
    if years[0] > years[1]:
        raise ValueError("the first year must not be later than the last")
    return years


class MixtureConfig(Section):
    """How much of a source goes in."""

    weight: float = Field(default=1.0, gt=0, le=100)
    """Below 1: keep this share of its documents. Above 1: epochs, its training documents are repeated so often."""
    max_share: float | None = Field(default=None, gt=0, lt=1)
    """At most this share of the corpus, in bytes."""
    max_bytes: int | None = Field(default=None, ge=1)
    """At most so many bytes of cleaned text."""


class CorpusConfig(Section):
    """What goes in, and how it is cleaned and split."""

    name: str = Field(pattern=NAME_PATTERN)
    """Name of the corpus: its folder in the workspace."""
    sources: list[AnySource] = Field(min_length=1)
    """Where the documents come from. A source, or the whole list, may be the name of a file of sources."""
    steps: Annotated[list[str], Field(min_length=1)] | None = None
    """Cleaning steps in order (01_data_collection/cleaning/), `duplicates` last. Default: all, in the order there."""
    languages: list[Annotated[str, Field(pattern=r"^[a-z]{2}$")]] = []
    """Keep only documents in these languages (ISO 639-1); empty: keep all."""
    min_characters: int = Field(default=200, ge=1)
    """Reject documents shorter than this after cleaning, in characters."""
    max_bytes: int = Field(default=256_000_000, ge=1_000)
    """Reject documents larger than this before cleaning, in bytes: no single text is, and memory is bounded by it."""
    front_matter: Literal["drop", "keep"] = "drop"
    """Lists of contents, indexes, errata, lists of juries: what is in a book but no running text."""
    profile: Literal["book", "web"] = "book"
    """Limits of the filters for repetition and quality: for books of all times, or the published ones for web pages."""
    min_known_words: Share = 0.6
    """Reject English texts of which fewer of the words are English words: OCR garbage. 0.8 keeps only good scans."""
    licences: list[str] = []
    """Keep only documents under these licences, e.g. [public-domain, CC0-1.0, CC-BY]; empty: any."""
    unknown_licence: Literal["keep", "reject"] = "keep"
    """Documents whose licence nobody knows, when `licences` names some."""
    period: Annotated[tuple[int, int], AfterValidator(_in_order)] | None = None
    """Keep only what was written in these years, e.g. [1500, 1850], and refuse what its words betray as younger."""
    undated: Literal["keep", "reject"] = "keep"
    """Documents without a date, when there is a period; their words are looked at in any case."""
    max_anachronisms: float = Field(default=0.5, ge=0)
    """With a period: words first used after it that a document may hold, per 10,000 words."""
    duplicates: DuplicatesConfig = DuplicatesConfig()
    decontaminate: list[str] = []
    """Files of evaluation items (JSONL or text): documents that hold one are left out. Relative to the config file."""
    mixture: dict[str, MixtureConfig] = {}
    """How much of a source goes in, by its name. Default: all of each."""

    @field_validator("decontaminate", mode="before")
    @classmethod
    def _absolute_paths(cls, value: Any, info: ValidationInfo) -> Any:
        base = (info.context or {}).get("base")
        if base is None or not isinstance(value, list):
            return value
        return [str(Path(base, Path(path).expanduser())) if isinstance(path, str) else path for path in value]

    validation_share: Share = 0.05
    """Share of the documents held back to choose checkpoints and to evaluate."""
    test_share: Share = 0.0
    """Share of the documents held back from everything but a final test."""

    @field_validator("test_share")
    @classmethod
    def _leave_something(cls, value: float, info: ValidationInfo) -> float:
        if value + info.data.get("validation_share", 0.0) >= 1:
            raise ValueError("together with validation_share it must leave something to train on")
        return value

    split_seed: int = 1
    """Another seed, another split. A document stays in its split when others are added."""
    section_characters: int | None = Field(default=None, ge=1_000)
    """Cut documents at paragraph ends into sections of about this many characters before splitting. Default:
    only when there are fewer than 20 documents, so that a single book can be split too."""


class TokenizerConfig(Section):
    """The tokenizer: how text becomes numbers, and without loss back."""

    name: str = Field(default="", pattern=r"^(\w[\w.-]*)?$")
    """Folder in the workspace. Default: <corpus>-<vocab_size>, with the kind between when it is not plain BPE."""
    kind: Literal["bpe", "unigram", "char", "byte"] = "bpe"
    """How the tokens are found: byte pair encoding, a unigram model, one per character, one per byte."""
    vocab_size: int = Field(default=30_000, ge=257)
    """Number of tokens, special tokens and the 256 bytes included; for char at most, for byte without meaning."""
    superword_share: Share = 0.0
    """Share of the vocabulary learnt across word boundaries (SuperBPE): 0.33 gives about a quarter fewer tokens."""
    pattern: Literal["o200k", "cl100k", "gpt2"] = "o200k"
    """The regular expression that cuts text into words first."""
    min_frequency: int = Field(default=2, ge=1)
    """A pair (bpe), piece (unigram) or character (char) must occur this often to become a token."""
    max_bytes: int = Field(default=1_000_000_000, ge=1_000)
    """Train on at most this much text: a seeded sample of documents, each source in its proportion."""
    seed: int = 1
    """Another seed, other documents in the sample."""
    pad_token: bool = False
    """Add a token <|pad|>; Chapbook itself needs none."""
    special_tokens: list[Annotated[str, Field(pattern=r"^<\|[^\W\d_]\w*\|>$")]] = Field(
        default=[], validate_default=True
    )
    """Further special tokens, written <|name|>: no pattern keeps that together, so no text can become one."""

    @field_validator("superword_share")
    @classmethod
    def _only_bpe(cls, value: float, info: ValidationInfo) -> float:
        if value and info.data.get("kind", "bpe") != "bpe":
            raise ValueError("only the kind bpe has superwords")
        return value

    @field_validator("special_tokens")
    @classmethod
    def _leave_room(cls, value: list[str], info: ValidationInfo) -> list[str]:
        needed = 257 + bool(info.data.get("pad_token")) + len(value)
        if info.data.get("kind") != "byte" and info.data.get("vocab_size", needed) < needed:
            raise ValueError(f"with the 256 bytes these need a vocab_size of at least {needed:,}")
        return value


class PretokenizeConfig(Section):
    """Tokens packed into blocks of fixed length."""

    name: str = Field(default="", pattern=r"^(\w[\w.-]*)?$")
    """Folder in the workspace. Default: <tokenizer>-<max_length>."""
    max_length: int = Field(default=512, ge=8)
    """Tokens per block = context of the model."""
    shard_tokens: int = Field(default=2**25, ge=1_000)
    """Tokens per file. A build that was killed goes on after its last whole file, and holds one file in memory."""


def _split_names(value: Any) -> Any:
    """`a,b` as on the command line of the harness; lists stay."""
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


class EvaluationConfig(Section):
    """What is measured, and on how much."""

    checkpoint: str = "best"
    """`best`, `latest`, a name such as checkpoint-500, or a path."""
    split: Literal["validation", "test"] = "validation"
    """The split that is measured."""
    mode: Literal["quick", "comprehensive"] = "quick"
    """quick: passages of the split and what takes seconds; comprehensive: everything."""
    max_documents: int = Field(default=0, ge=0)
    """Measure at most this many documents of the split, taken evenly; 0: all."""
    batch_size: int = Field(default=8, ge=1)
    """Windows per forward pass."""
    resamples: int = Field(default=2_000, ge=1_000)
    """Draws of the bootstrap behind each confidence interval."""
    floor_bytes: int = Field(default=10_000_000, ge=100_000)
    """Training text that n-gram models and compressors are given to compare with, at most (quick: 5 MB)."""
    seed: int = Field(default=1, ge=0, lt=2**32)
    """Same seed, same intervals and samples."""
    period: Annotated[tuple[int, int], AfterValidator(_in_order)] | None = None
    """First and last year of what the model should write, e.g. [1500, 1850]: words and years after it count as
    anachronisms. Default: corpus.period; without either they are not counted."""
    tasks: Annotated[list[str], BeforeValidator(_split_names)] = []
    """Further tasks of lm-evaluation-harness by name, e.g. hellaswag, lambada_openai; comprehensive mode runs them."""
    task_folder: str | None = None
    """Folder with task files of your own for the harness. Relative to the config file."""
    few_shot: int | None = Field(default=None, ge=0)
    """Worked examples before each item of `tasks`. Default: as each task says."""
    task_items: int = Field(default=0, ge=0)
    """Items of each of `tasks`, the first ones; 0: all."""

    @field_validator("task_folder")
    @classmethod
    def _absolute_folder(cls, value: str | None, info: ValidationInfo) -> str | None:
        base = (info.context or {}).get("base")
        return value if base is None or value is None else str(Path(base, Path(value).expanduser()))


class GenerationConfig(Section):
    """Samples from the model."""

    prompts: list[str] = [""]
    """What the samples go on from; an empty prompt starts a new document."""
    num_samples: int = Field(default=1, ge=1)
    """Samples per prompt."""
    max_new_tokens: int = Field(default=120, ge=1)
    """Length of a sample, in tokens, the prompt not counted."""
    temperature: float = Field(default=0.8, ge=0)
    """1: as the model predicts; lower: safer; 0: always the likeliest token."""
    top_k: int = Field(default=50, ge=0)
    """Choose among this many likeliest tokens; 0: among all."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Choose among the likeliest tokens that together reach this probability."""
    repetition_penalty: float = Field(default=1.0, gt=0)
    """Above 1: tokens that were used already become less likely."""
    seed: int = Field(default=1, ge=0, lt=2**32)
    """Same seed, same samples."""


class PublishConfig(Section):
    """What the published folder says of itself."""

    title: str = ""
    """Title of the model card. Default: the name of the run."""
    licence: str | None = None
    """SPDX identifier of the model's licence. Default: derived from the sources when they agree."""
    languages: list[str] = []
    """Languages named in the card (ISO 639-1). Default: those of the corpus."""


class RunConfig(Section):
    """One whole run, in stage order."""

    name: str = Field(pattern=NAME_PATTERN)
    """Name of the run: the folder of its checkpoints, evaluations and exports."""
    collect: CollectConfig = CollectConfig()
    corpus: CorpusConfig
    tokenizer: TokenizerConfig = TokenizerConfig()
    pretokenize: PretokenizeConfig = PretokenizeConfig()
    model: dict[str, Any] = {"model_type": "gpt2"}
    """Any transformers causal-LM configuration; vocabulary, context and token ids are filled in."""
    training: dict[str, Any] = {}
    """transformers.TrainingArguments, field for field, and the few of chapbook.training_arguments."""
    evaluation: EvaluationConfig = EvaluationConfig()
    generation: GenerationConfig = GenerationConfig()
    publish: PublishConfig = PublishConfig()

    def model_post_init(self, context: Any, /) -> None:
        """Name tokenizer and tokens after what they are made from when they have no name."""
        self.tokenizer.name = self.tokenizer.name or "-".join([self.corpus.name, *_traits(self.tokenizer)])
        self.pretokenize.name = self.pretokenize.name or f"{self.tokenizer.name}-{self.pretokenize.max_length}"


def _traits(tokenizer: TokenizerConfig) -> list[str]:
    if tokenizer.kind == "byte":
        return ["byte"]
    kind = "superbpe" if tokenizer.superword_share else tokenizer.kind
    return [*([] if kind == "bpe" else [kind]), str(tokenizer.vocab_size)]


class _Loader(yaml.SafeLoader):
    """YAML with two repairs: `3e-4` is a number as in YAML 1.2, and a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)  # type: ignore[no-untyped-call]
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} is no key", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


# As in YAML 1.2: only true and false are booleans (save_strategy: no is a word), and dates are text.
_REPLACED = ("tag:yaml.org,2002:float", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*\.?\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?|\.(inf|nan))$"),
    list("-+0123456789."),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


class _Dumper(yaml.SafeDumper):
    """Quotes exactly what `_Loader` would otherwise read as something else, `08` for example."""


_Dumper.yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


def dump_config(config: RunConfig) -> str:
    """The configuration as YAML that `load_config` reads back equal."""
    return yaml.dump(config.model_dump(exclude_none=True), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def parse_value(text: str) -> Any:
    """A value from the command line, read as YAML: `1e-4`, `true`, `[en, fr]`, `text`.

    Raises UsageError when it is not valid YAML.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise UsageError(f"{text!r} on the command line is not a value: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _load_yaml(path: Path) -> Any:
    try:
        return yaml.load(path.read_text("utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a YAML file: {_first_line(error)}") from error


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a config file, files of sources that it names read in.

    Raises UsageError naming file, line and what is wrong.
    """
    if not path.is_file():
        raise UsageError(f"There is no config file {path}. Those that come with Chapbook are in configs/.")
    content = _load_yaml(path)
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no sections (corpus, tokenizer, …). Start from one of configs/.")
    corpus = content.get("corpus")
    if isinstance(corpus, dict):
        sources = corpus.get("sources")
        entries = [sources] if isinstance(sources, str) else sources
        if isinstance(entries, list):
            corpus["sources"] = [
                source
                for entry in entries
                for source in (read_sources(path.absolute().parent / entry) if isinstance(entry, str) else [entry])
            ]
    return content


def read_sources(path: Path) -> list[SourceEntry]:
    """The sources in a file of sources: a mapping whose only key `sources` holds the list. Raises UsageError."""
    if not path.is_file():
        raise UsageError(f"There is no file of sources {path} (named in corpus.sources).")
    content = _load_yaml(path)
    sources = content.get("sources") if isinstance(content, dict) and len(content) == 1 else None
    if not isinstance(sources, list) or not all(isinstance(source, dict) for source in sources):
        raise UsageError(f"{path} is no file of sources: it must hold the key `sources` alone, a list of sources.")
    return [SourceEntry(source, path, number) for number, source in enumerate(sources)]


def set_key(content: dict[str, Any], dotted: str, value: Any) -> None:
    """Set `a.b.0.c` in nested mappings and lists, making mappings on the way. Raises UsageError when that cannot be."""
    *parents, last = dotted.split(".")
    place: Any = content
    try:
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
        place[int(last) if isinstance(place, list) else last] = value
    except (ValueError, IndexError, AttributeError, TypeError) as error:
        raise UsageError(f"--{dotted} names nothing in the configuration ({error}).") from error


def load_config(path: Path, overrides: Mapping[str, Any] | None = None, *, deep: bool = False) -> RunConfig:
    """Read a config file, apply dotted `overrides` and check the result.

    deep: check `model` and `training` too, which imports transformers (1–3 s). Raises UsageError for an unreadable
    file and ConfigError with every problem of the content.
    """
    content = read_yaml(path)
    for key, value in (overrides or {}).items():
        set_key(content, key, value)
    return check_config(content, str(path), base=path.absolute().parent, deep=deep)


def check_config(
    content: dict[str, Any], where: str, *, base: Path | None = None, deep: bool = False, construct: bool = False
) -> RunConfig:
    """Turn plain mappings into a RunConfig. Raises ConfigError with every problem.

    base: folder where relative paths start. deep: as in load_config. construct: with `deep`, also try the training
    section out (see training_arguments.problems; not in a process that trains).
    """
    problems: list[str] = []
    config: RunConfig | None = None
    try:
        config = RunConfig.model_validate(content, context={"base": base})
    except ValidationError as error:
        problems = [_describe(problem, content) for problem in error.errors()]
    if deep:
        from chapbook import model, training_arguments

        training = content.get("training")
        if isinstance(training, dict):
            problems += training_arguments.problems(training, construct=construct)
        described = content.get("model", {})
        if isinstance(described, dict):
            length = config.pretokenize.max_length if config else None
            problems += model.problems(described, length)
    if problems:
        raise ConfigError(problems, where)
    assert config is not None
    return config


def _describe(problem: Any, content: dict[str, Any]) -> str:
    """One line for a pydantic problem: key, value, what would work."""
    location, kind = _without_tag(problem["loc"])
    key = _written(location, content)
    value = problem["input"]
    if problem["type"] == "extra_forbidden":
        known = _known_keys(location[:-1], kind)
        close = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(sorted(known))}"
        return f"{key}: there is no such key ({hint})"
    if problem["type"] == "missing":
        return f"{key}: is missing"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    # A whole section as the value says nothing that its key does not; an address may have a password in it.
    silent = isinstance(value, dict) or re.search(r"://\S*@", str(value))
    return f"{key}: {message}" if silent else f"{key} = {value!r}: {message}"


def _without_tag(location: tuple[int | str, ...]) -> tuple[tuple[int | str, ...], str]:
    """The location without the kind of a source, which pydantic puts behind its number, and that kind."""
    if location[:2] == ("corpus", "sources") and len(location) > 3:
        return location[:3] + location[4:], str(location[3])
    return location, ""


def _written(location: tuple[int | str, ...], content: dict[str, Any]) -> str:
    """The key as one finds it: dotted, behind the file of sources if it stands there."""
    if location[:2] == ("corpus", "sources") and len(location) > 2:
        entry = content["corpus"]["sources"][location[2]]
        if isinstance(entry, SourceEntry):
            return f"{entry.file}: " + ".".join(map(str, ("sources", entry.number, *location[3:])))
    return ".".join(map(str, location))


def _known_keys(location: tuple[int | str, ...], kind: str) -> list[str]:
    section: Any = RunConfig
    if kind:
        section, location = KINDS[kind], location[3:]
    for part in location:
        annotation = section.model_fields[part].annotation
        # `Filters | None`: the section among the alternatives.
        section = next((a for a in get_args(annotation) if hasattr(a, "model_fields")), annotation)
    return list(section.model_fields)


def describe_keys() -> str:
    """All keys of the light sections with their meaning and default, for --help."""
    lines = []
    for name, field in RunConfig.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            for key, entry in section.model_fields.items():
                default = "required" if entry.is_required() else f"default {entry.default!r}"
                meaning = " ".join((entry.description or "").split())
                lines.append(f"  --{name}.{key}  {meaning} ({default})")
        elif name != "name":
            lines.append(f"  --{name}.*  {' '.join((field.description or '').split())}")
    return "\n".join(lines)
