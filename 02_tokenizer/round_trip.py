"""Strings that tokenizers lose something of, and the check that nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator

from chapbook.tokenizer import END_OF_TEXT

# Characters taken of each block of 256 beyond the Basic Multilingual Plane, which is taken whole.
SAMPLED_OF_BLOCK = 8

NAMED = {
    "empty": "",
    "one space": " ",
    "white space of every kind": " \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2003"
    "\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u3000\ufeff",
    "leading, double and trailing spaces": "  leading,  double   triple  and trailing   ",
    "Windows line ends": "one\r\ntwo\r\n\r\nthree\r\n",
    "carriage returns alone": "one\rtwo\r\rthree\r",
    "mixed line ends": "a\n\rb\r\n\n\r\r\nc \n d\t\n",
    "NUL": "\x00a\x00\x00b\x00",
    "control characters": "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)])),
    "byte order mark": "\ufefftext\ufeff",
    "edges of the surrogates": "\ud7ff\ue000\ufffd\ufffe\uffff\U00010000\U0010ffff",
    "replacement characters": "\ufffd\ufffd a\ufffdb",
    "noncharacters": "\ufdd0\ufdef\U0001fffe\U0001ffff\U0010fffe",
    "combining marks": "e\u0301 \u0301\u0302\u0303 a" + "\u0300" * 50 + " Z̷̛̩a̶͔͝l̵̠̈g̴̡̛o",
    "composed and decomposed": "café cafe\u0301 Ångström Å Å ﬁ fi",
    "old print": "ſhort ſ, ﬅ, æther œuvre, þͤ, ꝑ, ꝙ, Ⅷ, ℞, £3. 4s. 6½d.",
    "right to left": "שלום עולם \u200fمرحبا بالعالم\u200e \u202eabc\u202c ١٢٣",
    "Indic and Thai": "क्षत्रिय हिन्दी ภาษาไทย မြန်မာ",
    "Chinese, Japanese, Korean": "中文字符。日本語テキスト、한국어 \u1112\u1161\u11ab 𠮷野家",
    "emoji sequences": "👩‍👩‍👧‍👦 🏴‍☠️ 🇬🇧 👍🏽 ❤️‍🔥 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "capitals that change length": "İıßẞǅŉΐ",
    "contractions": "don't DON'T I'll we've 'tis ’twas o'clock he'd've",
    "numbers": "0 00 1750 17500 1,234,567.89 ½ ² Ⅻ ٣ ৩ 12345678901234567890",
    "punctuation": "!?.,;:'\"()[]{}<>«»“”‘’—–-_/\\|@#$%^&*~`+=…" * 3,
    "the special token": END_OF_TEXT,
    "the special token in a text": f"before{END_OF_TEXT}after {END_OF_TEXT}{END_OF_TEXT}\n{END_OF_TEXT[:-1]}",
    "other special tokens": "<|pad|><s></s><unk>[PAD][UNK]<0x41><|im_start|>",
    "characters of byte-level vocabularies": "Ġthe ĊĊ ĉ Ā Ń ▁the ##ing </w>",
    "private characters": "\ue000\uf8ff\U000f0000\U000f0001\U00100000",
    "a long word": "a" * 20_000,
    "a long run of spaces": " " * 5_000 + "x",
    "a long run of line ends": "\n" * 5_000,
    "a long number": "1234567890" * 500,
    "a long run of an accent": "é" * 5_000,
    "a long run without a space": "abcdefghij" * 2_000,
    "a long run of emoji": "🙂" * 1_000,
}


def nasty_strings() -> Iterator[tuple[str, str]]:
    """Name and text of each: NAMED, all of the Basic Multilingual Plane, a sample of every block of every plane."""
    yield from NAMED.items()
    for start in range(0, 0x110000, 256):
        step = 1 if start < 0x10000 else 256 // SAMPLED_OF_BLOCK
        points = [point for point in range(start, start + 256, step) if not 0xD800 <= point < 0xE000]
        if points:
            yield f"U+{start:04X} to U+{start + 255:04X}", "".join(map(chr, points))


def first_difference(text: str, decoded: str) -> str:
    """Where two different strings part, for a person to read."""
    at = next((n for n, (a, b) in enumerate(zip(text, decoded, strict=False)) if a != b), min(len(text), len(decoded)))
    return f"at character {at}: {text[at : at + 20]!r} became {decoded[at : at + 20]!r}"


def lost(text: str, decoded: str, ids: list[int], forbidden: int | None) -> str | None:
    """What is wrong with `ids` and what they decode to as an encoding of `text`; None when nothing is.

    forbidden: the id of the end-of-text token, which no text may have.
    """
    if decoded != text:
        return first_difference(text, decoded)
    if forbidden is not None and forbidden in ids:
        return "the text became the end-of-text token"
    return None
