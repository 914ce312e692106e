"""One YAML file = one whole run: typed sections, read with command-line overrides, all problems at once.

pydantic checks every key and collects all errors in one pass. `training` and `model` are checked by
`chapbook.training_arguments` and `chapbook.model`, which need transformers and so load only where needed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from chapbook.errors import ConfigError, UsageError

# Letters and digits of any script, and . _ - after the first.
NAME_PATTERN = r"^\w[\w.-]*$"

Share = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, field docstrings are the documentation."""

    model_config = ConfigDict(
        extra="forbid", use_attribute_docstrings=True, protected_namespaces=(), coerce_numbers_to_str=True
    )


class Source(Section):
    """What all kinds of sources share."""

    name: str = Field(default="", pattern=r"^(\w[\w.-]*)?$")
    """Name of the source in reports and document ids. Default: its kind."""

    def model_post_init(self, context: Any, /) -> None:
        """Name the source after its kind when it has no name."""
        self.name = self.name or self.kind  # type: ignore[attr-defined]


class SampleSource(Source):
    """The generator of short London scenes that the product carries."""

    kind: Literal["sample"]
    seed: int = 1
    """Same seed, same texts."""
    bytes: int = Field(default=6_000_000, ge=1_000)
    """How much clean text to write, in UTF-8 bytes."""
    words: int | None = Field(default=None, ge=8)
    """Use only this many of each kind of word (names, trades, things …); a small model learns a small language in
    minutes. Default: all."""
    dirt: dict[Literal["boilerplate", "hyphens", "page_numbers", "ocr", "duplicate", "foreign"], Share] = {}
    """Share of the documents that get each kind of planted dirt, so that cleaning can be scored."""


class FilesSource(Source):
    """Files on this machine: txt, html, xml/TEI, epub, pdf, and zip files of these."""

    kind: Literal["files"]
    paths: list[str] = Field(min_length=1)
    """Files, folders (searched through) or globs; a relative path starts at the folder of the config file."""
    title: str | None = None
    """Title of all its documents. Default, here and below: what each document says of itself."""
    author: str | None = None
    """Author of all its documents."""
    date: str | None = None
    """Year, ISO date or period of all its documents."""
    language: str | None = None
    """ISO 639-1 code of all its documents."""
    licence: str | None = None
    """SPDX identifier or URL of the licence all its documents stand under."""

    @field_validator("paths", mode="before")
    @classmethod
    def _make_absolute(cls, value: Any, info: ValidationInfo) -> Any:
        paths = [value] if isinstance(value, str) else value
        base = (info.context or {}).get("base")
        if base is not None and isinstance(paths, list):
            return [str(Path(base, Path(p).expanduser())) if isinstance(p, str) else p for p in paths]
        return paths


class CorpusConfig(Section):
    """What goes in, and how it is cleaned and split."""

    name: str = Field(pattern=NAME_PATTERN)
    """Name of the corpus: its folder in the workspace."""
    sources: list[Annotated[SampleSource | FilesSource, Field(discriminator="kind")]] = Field(min_length=1)
    """Where the documents come from."""
    steps: Annotated[list[str], Field(min_length=1)] | None = None
    """Cleaning steps in order (01_data_collection/cleaning/). Default: all, in the order given there."""
    languages: list[Annotated[str, Field(pattern=r"^[a-z]{2}$")]] = []
    """Keep only documents in these languages (ISO 639-1); empty: keep all."""
    min_characters: int = Field(default=200, ge=1)
    """Reject documents shorter than this after cleaning, in characters."""
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
    """The byte-level BPE tokenizer."""

    name: str = Field(default="", pattern=r"^(\w[\w.-]*)?$")
    """Folder in the workspace. Default: <corpus>-<vocab_size>."""
    vocab_size: int = Field(default=30_000, ge=257)
    """Number of tokens, special tokens and the 256 bytes included."""
    pattern: Literal["o200k", "cl100k", "gpt2"] = "o200k"
    """The regular expression that cuts text into words before BPE."""
    min_frequency: int = Field(default=2, ge=1)
    """A pair must occur this often to be merged."""
    max_bytes: int = Field(default=1_000_000_000, ge=1_000)
    """Train on at most this much text, a seeded sample of whole documents."""


class PretokenizeConfig(Section):
    """Tokens packed into blocks of fixed length."""

    name: str = Field(default="", pattern=r"^(\w[\w.-]*)?$")
    """Folder in the workspace. Default: <tokenizer>-<max_length>."""
    max_length: int = Field(default=512, ge=8)
    """Tokens per block = context of the model."""


class EvaluationConfig(Section):
    """What is measured, and on how much."""

    checkpoint: str = "best"
    """`best`, `latest`, a name such as checkpoint-500, or a path."""
    split: Literal["validation", "test"] = "validation"
    """The split that is measured."""
    max_documents: int = Field(default=0, ge=0)
    """Measure at most this many documents of the split; 0: all."""
    batch_size: int = Field(default=8, ge=1)
    """Windows per forward pass."""


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
        self.tokenizer.name = self.tokenizer.name or f"{self.corpus.name}-{self.tokenizer.vocab_size}"
        self.pretokenize.name = self.pretokenize.name or f"{self.tokenizer.name}-{self.pretokenize.max_length}"


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


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a config file. Raises UsageError naming file, line and what is wrong."""
    if not path.is_file():
        raise UsageError(f"There is no config file {path}. Those that come with Chapbook are in configs/.")
    try:
        content = yaml.load(path.read_text("utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a YAML file: {_first_line(error)}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no sections (corpus, tokenizer, …). Start from one of configs/.")
    return content


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
    # pydantic puts the tag of a discriminated union ("files") into the path; the file has no such key.
    path = [part for part in problem["loc"] if part not in ("sample", "files")]
    key = ".".join(str(part) for part in path)
    value = problem["input"]
    if problem["type"] == "extra_forbidden":
        known = _known_keys(problem["loc"][:-1])
        close = difflib.get_close_matches(str(path[-1]), known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(sorted(known))}"
        return f"{key}: there is no such key ({hint})"
    if problem["type"] == "missing":
        return f"{key}: is missing"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{key} = {value!r}: {message}"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    section: Any = RunConfig
    for part in location:
        if part == "sources":
            continue
        if part in ("sample", "files"):
            section = SampleSource if part == "sample" else FilesSource
        elif isinstance(part, str):
            section = section.model_fields[part].annotation
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
