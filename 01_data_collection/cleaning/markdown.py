r"""Step `markdown`: text that a vision-language model transcribed, as Markdown with LaTeX (olmOCR and its like).

In 8,128 articles of one such collection: a head of title, `**Author(s):**`, `**Year:**` … down to a rule; formulas such
as `4\(\frac{1}{2}\)` and `$50^\circ.1$`; pipe tables, whose columns slide into each other; a page break as a single
line end inside a sentence, with the printer's catchword before it (`one Foot Diameter,` / `Diameter, having Notches`).
"""

from __future__ import annotations

import re

from cleaning.draft import CleaningSettings, Draft, Rejected, Step

# The smallest article seen has 4,000 characters, of which a table may be a part.
MAX_TABLE_SHARE = 0.5

_HEAD = re.compile(r"\s*(?:#[ \t]+([^\n]+)\n+)?((?:\*\*[^*\n]{1,40}:\*\*[^\n]*\n+){2,})(?:-{3,}|\*{3,})[ \t]*\n")
_FIELD = re.compile(r"\*\*([^*\n]{1,40}?)(?:\(s\))?:\*\*[ \t]*([^\n]*)")
_TABLE = re.compile(r"(?:^[ \t]*\|[^\n]*\|[ \t]*(?:\n|\Z)){2,}|^[ \t]*\|[^|\n]+\|[^\n]+\|[ \t]*(?:\n|\Z)", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}[ \t]+(?=\S)", re.MULTILINE)
_BOLD = re.compile(r"(\*\*|__)(?=\S)([^*_\n]{1,200}?)(?<=\S)\1")
_IMAGE = re.compile(r"!\[[^\]\n]*\]\([^)\n]*\)")
_LINK = re.compile(r"\[([^\]\n]{1,200})\]\((?:https?|#)[^)\n]*\)")
_ESCAPE = re.compile(r"\\([&%$#_{}\"'~*.\[\]-])")
_CATCHWORD = re.compile(r"(?<=[\s-])([A-Za-z]{2,}[,;]?)[ \t]*\n(?:\n)?(?=\1[\s,;.])")

# `$12 and $15` are sums of money: between dollars a formula has a backslash, a brace, or raises or lowers something.
_FORMULA = re.compile(
    r"\\\((?P<inline>.{0,600}?)\\\)|\\\[(?P<display>.{0,3000}?)\\\]|\$\$(?P<two>.{1,3000}?)\$\$"
    r"|\$(?P<one>[^$\n]{0,200}?[\\^_{}][^$\n]{0,200}?)\$",
    re.DOTALL,
)
_FRACTIONS = {
    "1/2": "½", "1/3": "⅓", "2/3": "⅔", "1/4": "¼", "3/4": "¾", "1/5": "⅕", "2/5": "⅖", "3/5": "⅗", "4/5": "⅘",
    "1/6": "⅙", "5/6": "⅚", "1/8": "⅛", "3/8": "⅜", "5/8": "⅝", "7/8": "⅞",
}  # fmt: skip
_SYMBOLS = {
    "times": "×", "div": "÷", "cdot": "·", "circ": "°", "degree": "°", "pm": "±", "approx": "≈", "leq": "≤", "geq": "≥",
    "neq": "≠", "infty": "∞", "sqrt": "√", "prime": "′", "pounds": "£", "dagger": "†", "ddagger": "‡", "ldots": "…",
    "dots": "…", "cdots": "…", "quad": " ", "qquad": " ", "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ",
    "epsilon": "ε", "theta": "θ", "lambda": "λ", "mu": "μ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ",
    "omega": "ω", "Delta": "Δ", "Omega": "Ω", "odot": "☉", "sun": "☉",
}  # fmt: skip
_SUPERSCRIPTS = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_TEXT = re.compile(r"\\(?:text|textit|textbf|textsc|mathrm|mathbf|mathit|operatorname|mbox)\s*\{([^{}]*)\}")
_RAISED = re.compile(r"\^\{?\s*((?:\\circ|\\prime|[0-9+-])+)\s*\}?")
_RAISED_LETTERS = re.compile(r"[\^_]\{([^{}]*)\}|[\^_](\w)")
_COMMAND = re.compile(r"\\([A-Za-z]+)\*?")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[^{}]*\}(?:\{[lcr| ]*\})?")


def make(settings: CleaningSettings) -> Step:
    """Reads the head, drops tables, writes formulas in Unicode. Rejects as `table` what is mostly tables."""

    def step(draft: Draft) -> None:
        if draft.raw.format == "txt":
            draft.text = to_plain(draft)

    return step


def to_plain(draft: Draft) -> str:
    """`draft.text` without Markdown and LaTeX; text without their marks comes back as it is."""
    text = draft.text
    head = _HEAD.match(text)
    if head:
        fields = {name.strip().lower(): value.strip() for name, value in _FIELD.findall(head[2])}
        draft.learn(title=head[1], author=fields.get("author"), date=fields.get("year") or fields.get("date"))
        text = text[head.end() :]
    if "|" in text and "\n|" in text:
        without = _TABLE.sub("\n", text)
        if len(without) < (1 - MAX_TABLE_SHARE) * len(text):
            raise Rejected("table", f"{1 - len(without) / len(text):.0%} of the text")
        text = without
    # A backslash before a bracket or a command is in no plain text; only with the marks of an article is `#` a heading.
    if head or ("\\" in text and any(mark in text for mark in ("\\(", "\\[", "\\frac"))):
        text = _FORMULA.sub(lambda match: formula(next(filter(None, match.groups()), "")), text)
        text = _ESCAPE.sub(r"\1", _LINK.sub(r"\1", _IMAGE.sub("", text)))
        text = _BOLD.sub(r"\2", _HEADING.sub("", text))
        text = _CATCHWORD.sub("", text)
    return text


def formula(latex: str) -> str:
    r"""A formula in Unicode: `\frac{1}{2}` is ½, `50^\circ.1` 50°.1; other commands lose their backslash."""
    text = _ENVIRONMENT.sub("", latex).replace("\\\\", "\n").replace("&", " ").replace("~", " ")
    for _ in range(4):
        text = _FRACTION.sub(_fraction, _TEXT.sub(r"\1", text))
    text = _RAISED.sub(_raised, text)
    text = _RAISED_LETTERS.sub(lambda match: match[1] or match[2] or "", text)
    text = _COMMAND.sub(lambda match: _SYMBOLS.get(match[1], ""), text)
    text = re.sub(r"\\[,;:! ]", " ", text).replace("{", "").replace("}", "").replace("\\", "")
    return re.sub(r"[ \t]+", " ", text).strip()


def _fraction(match: re.Match[str]) -> str:
    above, below = match[1].strip(), match[2].strip()
    fraction = f"{above}/{below}" if below else above
    return _FRACTIONS.get(fraction, fraction)


def _raised(match: re.Match[str]) -> str:
    return match[1].replace("\\circ", "°").replace("\\prime", "′").translate(_SUPERSCRIPTS)
