r"""Step `characters`: broken encodings, invisible characters and typographical leftovers.

The mojibake tables and the rule "per word, and only when the result is all letters" come from counting real files
(11 of 70 novels have it). What cannot be repaired with certainty is left as it is.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter

from cleaning.draft import CleaningSettings, Draft, Step

# Everything but \t and \n below space, DEL, C1, zero-width and direction marks, soft hyphen, BOM, non-characters.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
# In a source's text a soft hyphen stands at a line end as a real one.
_SOFT_HYPHEN_AT_LINE_END = re.compile("\xad(?=[ \t]*\n)")
_SPACES = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_LINE_BREAKS = {"\x85": "\n", "\u2028": "\n", "\u2029": "\n\n"}

# What ftfy could repair: two non-ASCII characters in a row that are not both plain punctuation, a lead byte before
# a blank, presentation forms, C1 controls. Without this gate a text with curly quotes runs at 3 MB/s instead of 46.
_SUSPICIOUS = re.compile(
    "[^\x00-\x7f‘’“”–—…·£§°«»][^\x00-\x7f‘’“”]|[‘’“”–—…·£§°«»][^\x00-\x7f‘’“”–—…·£§°«»]|[ÃÂâĂ][ ‘’“”]"
    "|[\x80-\x9f\ufb00-\ufb06\uff00-\uffef\ud800-\udfff�]"
)

# Without a character beyond these, typographical ones and most Western letters, nothing here needs repair.
_MAYBE_SUSPICIOUS = re.compile("[^‘’“”–—…·£§°«»àâäæçèéêëîïñôöùûüÀÄÆÇÈÉÊËÎÏÖÙÛÜœŒ]")
_PLAIN = (string.printable.replace("\x0b", "").replace("\x0c", "")).encode("ascii")

_WORD = re.compile(r"[^\W\d_]+")
# What é è ô à ö ñ of Windows-1252 become when read as Mac Central European, and hardly any Western name holds.
_MAC_TELLTALE = frozenset("ťŤŰŗŲŮ")
# ä ç ê î ï ë ü û: right in Spanish, Czech and Polish names, so they count only next to other evidence …
_MAC_AMBIGUOUS = frozenset("šÁÍÓÔŽŁŻ")
# … such as a capital inside a word, which is no name: faÁade.
_CAPITAL_INSIDE = re.compile("(?<=[a-z])[ÁÍÓÔŽŁŻ](?=[a-z])")
# A word with one of these is truly Czech, Polish, Hungarian …: no byte of a Western letter becomes one.
_EASTERN = frozenset("ěřčžąęłőűćńźżđĘĄĚŘČĆŃŹĎ")
_WESTERN = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüßœÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜŒ")
# `í` is what byte 0x92, the closing quote, becomes. After punctuation it can be nothing else.
_QUOTE_AS_LETTER = re.compile(r"(?<=[.,!?;])í(?!\w)")
_QUOTE_AFTER_WORD = re.compile(r"(?<=[A-Za-z])í(?!\w)")
_NON_ASCII_WORD = re.compile(r"(?<![A-Za-z])[A-Za-z]*[^\W\d_\x00-\x7f][^\W\d_]*")
# Lead bytes C3 and C5 of é or œ with the byte that follows. A blank is not that byte: in `Ă tat` it is lost for good.
_LATIN_2_WORD = re.compile("(?<![A-Za-z])[A-Za-z]*[ĂĹ][^\x00-\x7f\xa0][^\\s\x00-\x40]*")

# What stands after an apostrophe that was lost, `that s all`, and a hyphen that was, `twenty?four`: 3 of 70 novels have
# not one apostrophe and 410 to 942 of these.
_AFTER_APOSTROPHE = re.compile(r"(?<=[A-Za-z]) (?=(?:s|t|ll|ve|re(?!-)|m|d)(?![\w'’]))")
_APOSTROPHE = re.compile(r"[A-Za-z]['’][A-Za-z]")
_LOST_HYPHEN = re.compile(r"(?<=[a-z])\?(?=[a-z])")
# So often at least, and per apostrophe or question that was not lost.
_MIN_LOST = 20

# `_italics_`, also over a line end, never over a paragraph end.
_ITALICS = re.compile(r"(?<!\w)_(?=[^\s_])((?:[^_\n]|\n(?![ \t]*\n)){1,600}?)(?<=[^\s_])_(?!\w)")


def make(settings: CleaningSettings) -> Step:
    """Repairs mojibake, composes to NFC, removes control characters and soft hyphens, makes blanks plain.

    `_italics_` lose their underscores. Quotes keep their form; nothing is unescaped (extraction does that).
    """
    import ftfy

    # HTML is the extractor's business; curly and straight quotes are the author's; NFC comes for the whole text.
    config = ftfy.TextFixerConfig(unescape_html=False, uncurl_quotes=False, explain=False, normalization=None)

    def fix(line: str) -> str:
        return line if line.isascii() or not _SUSPICIOUS.search(line) else ftfy.fix_text(line, config)

    def step(draft: Draft) -> None:
        text = draft.text
        odd = odd_characters(text)
        if odd and not odd.isascii():
            for separator, replacement in _LINE_BREAKS.items():
                text = text.replace(separator, replacement)
            if _MAYBE_SUSPICIOUS.search(odd):
                # ftfy takes `nĂŠe LefĂ¨vre` for windows-1250, `nÊe Lefèvre`: what is surely ISO 8859-2 comes first.
                text = repair_words("\n".join(map(fix, repair_latin_2(text).split("\n"))))
            text = unicodedata.normalize("NFC", text)
            text = _SOFT_HYPHEN_AT_LINE_END.sub("-", text) if "\xad" in odd else text
            text = _SPACES.sub(" ", text) if _SPACES.search(odd) else text
            if _MAYBE_SUSPICIOUS.search(odd):
                odd = odd_characters(text)
        if _INVISIBLE.search(odd):
            text = _INVISIBLE.sub("", text)
        text = repair_lost_marks(text)
        draft.text = _ITALICS.sub(r"\1", text) if "_" in text else text

    return step


def repair_lost_marks(text: str) -> str:
    """`that's all` for `that s all` and `twenty-four` for `twenty?four`, where the whole text lost these marks."""
    lost = len(_AFTER_APOSTROPHE.findall(text)) if " s " in text and " t " in text else 0
    if lost >= _MIN_LOST and lost >= _MIN_LOST * len(_APOSTROPHE.findall(text)):
        text = _AFTER_APOSTROPHE.sub("’" if "“" in text else "'", text)
    if "?" in text and len(_LOST_HYPHEN.findall(text)) >= _MIN_LOST:
        text = _LOST_HYPHEN.sub("-", text)
    return text


def odd_characters(text: str) -> str:
    """All characters but the printable ones of ASCII, blanks and line ends, in order; 500 MB/s."""
    # Looking through what is left, 1% of a novel, costs a hundredth of looking through the text.
    return text.encode("utf-8").translate(None, _PLAIN).decode("utf-8")


def repair_latin_2(text: str) -> str:
    """Undo UTF-8 read as ISO 8859-2, word by word: `protĂŠgĂŠe` becomes protégée, which ftfy 6.3.1 cannot do."""
    if "Ă" not in text and "Ĺ" not in text:
        return text
    return _LATIN_2_WORD.sub(lambda word: _recode(word[0], "iso8859_2", "utf-8") or word[0], text)


def repair_words(text: str) -> str:
    """Undo Windows-1252 read as Mac Central European, word by word.

    `rťgime` becomes régime; `Núñez` stays. ftfy 6.3.1 does not repair these.
    """
    # `coop.í There`: three are evidence enough that the others are quotes too, `kopjeí`.
    if len(_QUOTE_AS_LETTER.findall(text)) >= 3:
        text = _QUOTE_AFTER_WORD.sub("’", _QUOTE_AS_LETTER.sub("’", text))
    if _MAC_TELLTALE.isdisjoint(text) and not _CAPITAL_INSIDE.search(text):
        return text
    words = Counter(word for word in _WORD.findall(text) if not word.isascii())
    certain = {word: count for word, count in words.items() if _is_certain(word)}
    eastern = sum(count for word, count in words.items() if not _EASTERN.isdisjoint(word))
    if eastern and eastern >= sum(certain.values()):
        return text
    # Fršulein beside régime, rôle and façade; not when it is the only odd word.
    both = sum(certain.values()) >= 3
    repaired: dict[str, str] = {}
    for word in words:
        if word in certain or (both and not _MAC_AMBIGUOUS.isdisjoint(word)):
            repaired[word] = _recode(word, "mac_latin2", "cp1252") or word
    return _NON_ASCII_WORD.sub(lambda word: repaired.get(word[0], word[0]), text)


def _is_certain(word: str) -> bool:
    odd = not _MAC_TELLTALE.isdisjoint(word) or _CAPITAL_INSIDE.search(word) is not None
    return odd and _recode(word, "mac_latin2", "cp1252") is not None


def _recode(word: str, wrong: str, right: str) -> str | None:
    """`word` as it was before its bytes were read as `wrong`, or None when that gives no Western word."""
    try:
        result = word.encode(wrong).decode(right)
    except UnicodeError:
        return None
    western = all((letter.isascii() and letter.isalpha()) or letter in _WESTERN for letter in result)
    # A capital stands at the start of a word or everywhere.
    return result if western and (result.isupper() or result[1:].islower() or len(result) == 1) else None
