"""Plants dirt in clean text, so that cleaning can be scored against a known truth.

Each kind imitates one way in which collected text really is dirty. Most spoil a text that cleaning should restore; of
REJECTED_KINDS the truth is that cleaning rejects the document. Here are the kinds that are planted in a scene and leave
its text as the truth; `sample_truths.py` has those whose truth is another text, and `accounting.ANSWERS` says which
step answers for which kind.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from sources.sample_words import WORDS

# New kinds come last: the order decides which document gets which dirt.
DIRT_KINDS: tuple[str, ...] = (
    "boilerplate", "hyphens", "page_numbers", "ocr", "duplicate", "foreign", "scan", "invisible", "garbage", "loop",
    "misread_scan", "spaced_marks", "html", "markdown", "mojibake", "wrong_encoding", "footnotes", "contents",
    "near_duplicate", "similar_not_duplicate", "anachronism", "outside_period", "fragment", "illegible",
)  # fmt: skip
# Kinds of which perfect cleaning keeps nothing.
REJECTED_KINDS: tuple[str, ...] = (
    "duplicate", "foreign", "garbage", "loop", "near_duplicate", "anachronism", "outside_period", "fragment",
    "illegible",
)  # fmt: skip
# Kinds that are made of a clean document before them.
REPEATING_KINDS: tuple[str, ...] = ("duplicate", "near_duplicate", "similar_not_duplicate")
# Kinds planted in a scene that is written for them alone, and is none of the corpus without dirt.
OWN_SCENE_KINDS: tuple[str, ...] = (
    "mojibake", "wrong_encoding", "footnotes", "contents", "anachronism", "outside_period", "fragment", "illegible",
)  # fmt: skip
# Kinds that are no scene with dirt in it, but another document altogether.
FOREIGN_KINDS: tuple[str, ...] = ("foreign", "garbage", "loop")

# Width of a hard-wrapped line in characters: from, to. Old electronic texts keep to about these.
NARROWEST, WIDEST = 60, 72
# Lines on a page: from, to.
SHORTEST_PAGE, LONGEST_PAGE = 20, 30
# Of the places where two letters could be confused, the share that is: about 6 errors in 1,000 characters,
# which is what a fair scan of an old print has.
OCR_RATE = 0.03
# Sentences in a foreign document: from, to; 500 to 1,300 characters.
FEWEST_SENTENCES, MOST_SENTENCES = 9, 20


def plant(kind: str, text: str, title: str, rng: random.Random) -> str:
    """The text with dirt of one kind planted in it; `foreign` gives another text altogether.

    Only `rng.random()` is used, so that a seed means the same on every platform.
    """
    if kind not in _PLANTERS:
        raise ValueError(f"unknown kind of dirt {kind!r}")
    return _PLANTERS[kind](text, title, rng)


def between(low: int, high: int, rng: random.Random) -> int:
    """A whole number from `low` to `high`, both included."""
    return low + int(rng.random() * (high - low + 1))


def one_of(options: list[str], rng: random.Random) -> str:
    """One of some options, all equally likely."""
    return options[int(rng.random() * len(options))]


# --- licence texts ------------------------------------------------------------------------------------------

_HEADERS = [
    """This electronic text of {title} costs nothing and carries almost no conditions.
Copy it, print it or pass it on; what is asked in return stands at the end of the file.
Readers outside our country should first look up the law of their own.""",
    """The free electronic text of {title}
You are welcome to read, keep and share this file under the licence printed below the work.
Please leave this notice where it is when you hand the file on.""",
    """{title}, an electronic edition for everybody.
Nothing is charged for this file, and nothing is promised about it either: see the licence at its end.""",
]

_FOOTERS = [
    """Updated editions will replace the present one, and the older files will be renamed.

THE FULL LICENCE

Read this before you distribute the work.
1. By using this electronic work you show that you have read the licence and accept it.
2. You may charge a fair fee for making copies, but never for the text itself.
3. The file is offered as it stands, without warranty of any kind.

Volunteers and gifts of money keep this library alive. To learn how to help, or how to report an error
in the transcription, see the pages of the foundation that looks after these electronic texts.""",
    """End of this electronic text. The volunteers thank you for reading it.

SMALL PRINT

This file may be copied freely as long as the small print stays with it. The foundation and its helpers
are not liable for damage, cost or expense that comes from the use of the file. If you find a mistake in
it, send a note with the number of the edition and the line, and it will be put right in the next one.""",
]


def _boilerplate(text: str, title: str, rng: random.Random) -> str:
    """A licence before and after the text, with the marker lines by which such files are known."""
    name = title.upper()
    initials = "".join("ABCDEFGHJLMNPRSTW"[int(rng.random() * 17)] + ". " for _ in range(2))
    surname = one_of(_words("surname"), rng)
    credit = f"Produced by {initials}{surname} and the volunteers of the proofreading team"
    facts = f"Title: {title}\n\nAuthor: Anonymous\n\nRelease date: {between(1995, 2024, rng)}\n\nLanguage: English"
    # In older files the credit stands below the marker line, in newer ones above it.
    above, below = (f"\n\n{credit}", "") if rng.random() < 0.5 else ("", f"{credit}\n\n\n")
    return (
        f"{one_of(_HEADERS, rng).format(title=title)}\n\n{facts}{above}\n\n"
        f"*** START OF THE PROJECT GUTENBERG EBOOK {name} ***\n\n\n{below}{text}\n\n\n"
        f"*** END OF THE PROJECT GUTENBERG EBOOK {name} ***\n\n{one_of(_FOOTERS, rng)}\n"
    )


def _words(table: str) -> list[str]:
    return [word.strip() for word in WORDS[table].split("|")]


# --- lines and pages ----------------------------------------------------------------------------------------

# A word that may be divided at the end of a line: long, and without a hyphen of its own, so that there is
# only one right way to put it together again. Trailing punctuation goes with the second half.
_DIVISIBLE = re.compile(r"([A-Za-z]?[a-z]{6,})([.,;:!?\"']*)")


def _wrapped(text: str, rng: random.Random, hyphens: bool) -> str:
    """The paragraphs hard-wrapped, with words divided at line ends if asked."""
    width = between(NARROWEST, WIDEST, rng)
    paragraphs = []
    for paragraph in text.split("\n\n"):
        lines: list[str] = []
        line = ""
        for word in paragraph.split(" "):
            if line and len(line) + 1 + len(word) > width:
                room = width - len(line) - 2
                divisible = _DIVISIBLE.fullmatch(word)
                if hyphens and divisible and room >= 3 and len(divisible[1]) >= 6:
                    # At least 3 letters on either side, and a consonant after the hyphen where there is one,
                    # as a printer would divide.
                    cut = min(room, len(divisible[1]) - 3)
                    while cut > 3 and word[cut] in "aeiou":
                        cut -= 1
                    lines.append(f"{line} {word[:cut]}-")
                    line = word[cut:]
                else:
                    lines.append(line)
                    line = word
            else:
                line = f"{line} {word}" if line else word
        paragraphs.append("\n".join([*lines, line]))
    return "\n\n".join(paragraphs)


def _page_numbers(text: str, title: str, rng: random.Random) -> str:
    """The text hard-wrapped, with a page number or a running head between two lines at every page break."""
    lines = _wrapped(text, rng, hyphens=False).split("\n")
    per_page = between(SHORTEST_PAGE, LONGEST_PAGE, rng)
    if len(lines) <= per_page:
        per_page = max(2, len(lines) // 2)
    page = between(3, 380, rng)
    style = int(rng.random() * 4)
    book = one_of(["SCENES OF LONDON", "THE TOWN AND ITS PEOPLE", "A WALK THROUGH THE CITY"], rng)
    out: list[str] = []
    on_page = 0
    for line in lines:
        # A page is not ended between two sentences of one paragraph: whether a new paragraph begins on the next
        # page could not be told there, and the truth would be a matter of luck.
        if on_page >= per_page and not (line and out[-1].endswith((".", "!", "?", '"'))):
            page += 1
            on_page = 0
            number = [str(page), f"[{page}]", f"- {page} -"][style % 3]
            if style < 3:
                out += ["", number, ""]
            elif page % 2:
                out += ["", f"{title.upper()}.  {page}", ""]
            else:
                out += ["", f"{page}  {book}.", ""]
        out.append(line)
        on_page += 1
    return "\n".join(out)


_STAMPS = [
    "NEW YORK PUBLIC LIBRARY",
    "Presented to the library",
    "Deacidified using the Bookkeeper process.",
    "DATE DUE",
]


def _scan(text: str, title: str, rng: random.Random) -> str:
    """Pages as OCR programs write them: words divided, a blank at each line end, misread heads, a signature, stamps."""
    lines = _wrapped(text, rng, hyphens=True).split("\n")
    page, per_page = between(11, 380, rng), between(5, 7, rng)
    heads = (f"{title.upper()}.", "SCENES OF LONDON.")
    pages: list[list[str]] = [[]]
    for line in lines:
        # As above: not between two sentences, where a new paragraph could not be told.
        if len(pages[-1]) >= per_page and line and pages[-1][-1] and not pages[-1][-1].endswith((".", "!", "?", '"')):
            pages.append([])
        pages[-1].append(line)
    out = [f"{one_of(_STAMPS, rng)} "]
    for number, body in enumerate(pages):
        head = _misread_one(heads[number % 2], rng)
        edge = f"{page + number} {head}" if number % 2 else f"{head} {page + number}"
        foot = ["", f"L. B. {number}"] if number % 4 == 3 else []
        out.append("\n".join(f"{line} " if line else "" for line in [edge, "", *body, *foot]))
    return "\n\n\n\n".join([*out, "DATE DUE "])


def _misread_one(head: str, rng: random.Random) -> str:
    """A head with one letter read as another, half of the time."""
    place = int(rng.random() * 2 * len(head))
    return head if place >= len(head) else f"{head[:place]}{one_of(list('ABEHIKMNORT'), rng)}{head[place + 1 :]}"


# --- characters that nobody sees ----------------------------------------------------------------------------


def _invisible(text: str, rng: random.Random) -> str:
    """A byte order mark, DOS line ends; no-break spaces, soft hyphens and zero-width marks in and between words."""

    def spoil(blank: re.Match[str]) -> str:
        place = rng.random()
        if place < 0.02:
            return "\xa0"
        return "\u200b " if place < 0.03 else blank[0]

    def divide(word: re.Match[str]) -> str:
        half = len(word[0]) // 2
        return f"{word[0][:half]}\xad{word[0][half:]}" if rng.random() < 0.05 else word[0]

    spoilt = re.sub(r"[a-z]{7,}", divide, re.sub(" ", spoil, text))
    return "\ufeff" + spoilt.replace("\n", "\r\n")


# --- documents that are no text -----------------------------------------------------------------------------

_LOOPS = [
    "Click the button below to see the next page of this story.",
    "The same words come again and again until nobody reads them.",
    "Home | About | Contact | Archive | Search |",
]


def _garbage(rng: random.Random) -> str:
    """What a machine reads on a marbled cover."""
    marks = list("cCCclI<<«£■^;:_~»*.4ziT")
    lines = (
        " ".join("".join(one_of(marks, rng) for _ in range(between(1, 5, rng))) for _ in range(between(2, 7, rng)))
        for _ in range(between(40, 80, rng))
    )
    return "\n\n".join(lines)


# --- misread letters ----------------------------------------------------------------------------------------

_CONFUSIONS = [
    ("the", "tlie"), ("h", "li"), ("rn", "m"), ("m", "rn"), ("e", "c"), ("c", "e"), ("s", "f"), ("f", "s"),
    ("l", "1"), ("I", "l"), ("ll", "U"), ("in", "m"), ("u", "n"), ("n", "u"), ("o", "0"), ("b", "h"),
    ("w", "vv"), ("d", "cl"),
]  # fmt: skip
_CONFUSABLE = re.compile("|".join(sorted((re.escape(right) for right, _ in _CONFUSIONS), key=len, reverse=True)))


def misread(text: str, rng: random.Random, rate: float) -> str:
    """Letters confused as a machine confuses them when it reads an old print, at this share of the places for it."""
    wrong: dict[str, list[str]] = {}
    for right, seen in _CONFUSIONS:
        wrong.setdefault(right, []).append(seen)

    def confuse(found: re.Match[str]) -> str:
        return one_of(wrong[found[0]], rng) if rng.random() < rate else found[0]

    spoilt = _CONFUSABLE.sub(confuse, text)
    # A short text may have been lucky; it is declared dirty, so it must be.
    return spoilt if spoilt != text else text.replace("the", "tlie", 1).replace("m", "rn", 1)


# Whole words that scans misread, with the number of times that seven scans of archive.org have them. Some, such as `ho`
# and `bo`, could be other words, and no rule can put them right.
_MISREAD_WORDS = [
    ("the", "tlie", 23), ("the", "tbe", 22), ("the", "ihe", 22), ("of", "ot", 38), ("he", "ho", 19), ("you", "yoa", 13),
    ("his", "hia", 12), ("be", "bo", 12), ("that", "tliat", 11), ("in", "iu", 11),
]  # fmt: skip


def _misread_words(text: str, rng: random.Random) -> str:
    """One to four words misread as a scan's are; about 2 to 20 in 1,000, as a fair scan has."""
    for _ in range(between(1, 4, rng)):
        there = [word for word in _MISREAD_WORDS if f" {word[0]} " in text]
        place = rng.random() * sum(count for *_, count in there)
        for right, seen, count in there:
            place -= count
            if place < 0:
                at = [found.start() for found in re.finditer(f" {right} ", text)]
                start = at[int(rng.random() * len(at))]
                text = f"{text[:start]} {seen} {text[start + len(right) + 2 :]}"
                break
    return text


# --- blanks and mark-up -------------------------------------------------------------------------------------

_MARK = re.compile(r"(?<=[A-Za-z])[,;:!?.](?=[\s\"]|$)")


def _spaced_marks(text: str, rng: random.Random) -> str:
    """A blank before every fourth mark, as where a compiler took italics out, or the printer set it."""
    return _MARK.sub(lambda mark: f" {mark[0]}" if rng.random() < 0.25 else mark[0], text)


def _html(text: str, title: str, rng: random.Random) -> str:
    """A web page: styles, a script and links that are no text, entities, page numbers inside sentences."""
    page = between(3, 380, rng)

    def number(blank: re.Match[str]) -> str:
        nonlocal page
        if rng.random() >= 0.01:
            return blank[0]
        page += 1
        return f' <span class="pagenum">Page {page}</span>'

    escaped = text.replace("&", "&amp;").replace('"', "&quot;")
    body = "\n".join(f"<p>{re.sub(' ', number, paragraph)}</p>" for paragraph in escaped.split("\n\n"))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        "<style>p { margin: 1em; }</style><script>var place = 'top';</script></head>\n"
        '<body><nav><a href="/">Home</a> <a href="/next">Next scene</a></nav>\n'
        f"{body}\n</body></html>\n"
    )


def _markdown(text: str, title: str, rng: random.Random) -> str:
    """A transcription by a vision-language model: a head with a rule below, and words set in bold."""
    marked = re.sub(r"\b[a-z]{5,}\b", lambda word: f"**{word[0]}**" if rng.random() < 0.02 else word[0], text)
    return f"# {title}\n\n**Author(s):** Anonymous\n**Volume:** {between(1, 90, rng)}\n\n---\n\n{marked}\n"


# --- duplicates ---------------------------------------------------------------------------------------------


def _duplicate(text: str, rng: random.Random) -> str:
    """The same text; half of the time with another layout of its white space."""
    match int(rng.random() * 6):
        case 0:
            return text.replace("\n\n", "\n\n\n")
        case 1:
            return text.replace(". ", ".  ")
        case 2:
            return text.replace("\n", "\r\n") + "\r\n"
    return text


# --- documents in other languages ---------------------------------------------------------------------------

# Sentences of our own; every filling of a slot agrees with its sentence.
_FOREIGN: dict[str, tuple[str, dict[str, str]]] = {
    "la": (
        """
        {Vir} in foro ambulat et {quem} quaerit.
        {Vir} cum {quo} ad portam urbis venit, sed nemo respondit.
        Heri {vir} in taberna {rem} emit et domum portavit.
        Nox erat, et luna {locum} illustrabat.
        Cur, inquit {vir}, {rem} meam non reddis?
        {Quem} in via vidi, qui {rem} sub veste tenebat.
        Pluvia tota nocte cadebat, itaque {vir} domi manebat.
        Dum {vir} dormit, canis {rem} rapuit et in silvam fugit.
        Nihil est melius quam {rem} cum amicis habere.
        {Vir} filio suo {rem} dedit, quod diligenter laboraverat.
        Post multos dies {vir} {rem} suam in horto invenit.
        Magna turba ante {locum} stabat et magna voce clamabat.
        Si {vir} {quem} videbit, epistulam ei dabit.
        Ita {vir} sine ira discessit, et omnes {quem} laudaverunt.
        """,
        {
            "vir": "nauta|mercator|agricola|poeta|magister|servus|medicus|pistor",
            "quem": "amicum|fratrem|magistrum|patrem|medicum|vicinum|iudicem",
            "quo": "amico|fratre|magistro|patre|medico|vicino|iudice",
            "rem": "lucernam|mensam|pecuniam|epistulam|coronam|tabulam|cenam",
            "locum": "templum|forum|viam|insulam|portum|villam|montem",
        },
    ),
    "fr": (
        """
        {Homme} traversa la place du marché en cherchant {chose}.
        Il pleuvait depuis {temps}, et les rues étaient presque vides.
        Avez-vous vu {chose} que j'avais laissée près de la fontaine ?
        {Homme} répondit qu'il n'avait rien vu de toute la journée.
        Au coin de la rue, une vieille dame vendait des {fruits} et du pain chaud.
        On entendait au loin les cloches de l'église et le bruit de la rivière.
        Pendant {temps}, personne n'osa parler de {chose}.
        Ma sœur a donné {chose} au voisin, qui ne l'a jamais rendue.
        {Homme} mangea trois {fruits} et s'endormit sous un arbre.
        Il y avait dans cette maison une horloge qui ne sonnait jamais l'heure juste.
        Le lendemain, {homme} partit pour la campagne avec son chien.
        Quand la nuit tomba, on alluma les lampes et l'on ferma les volets.
        Vous avez raison, dit {homme}, mais il est trop tard pour y penser.
        Ainsi finit l'histoire, et {homme} rentra chez lui sans dire un mot.
        """,
        {
            "homme": "le boulanger|le marchand|le vieux capitaine|le notaire|le jardinier|le maître d'école|le facteur",
            "chose": "la lettre|la clef|la montre|la bourse|la lanterne|la tabatière|la boîte",
            "temps": "deux jours|une heure|toute la semaine|plus d'un mois|la veille",
            "fruits": "pommes|poires|cerises|oranges|noix|prunes",
        },
    ),
    "de": (
        """
        {Mann} ging langsam über die Brücke und dachte an {sache}.
        Es regnete seit {zeit}, und niemand war auf der Straße zu sehen.
        Haben Sie {sache} gefunden, die ich gestern im Wirtshaus vergessen habe?
        {Mann} schüttelte den Kopf und sagte kein Wort.
        Vor der Kirche stand eine alte Frau und verkaufte {obst} und frisches Brot.
        Am nächsten Morgen fuhr {mann} mit dem Wagen in die Stadt.
        In diesem Haus gab es eine Uhr, die immer zu spät schlug.
        Meine Schwester hat {sache} dem Nachbarn gegeben, und er hat sie nie zurückgebracht.
        Nach {dauer} kam {mann} müde und hungrig nach Hause.
        Der Hund lag unter dem Tisch und fraß {obst}, ohne sich um die Gäste zu kümmern.
        Als es dunkel wurde, zündete {mann} die Lampen an und schloss die Fenster.
        Man hörte von weitem die Glocken und das Rauschen des Flusses.
        Sie haben recht, sagte {mann}, aber jetzt ist es zu spät.
        So endet die Geschichte, und {mann} lebte noch viele Jahre in Frieden.
        """,
        {
            "mann": "der Bäcker|der Kaufmann|der alte Kapitän|der Gärtner|der Lehrer|der Müller|der Schneider",
            "sache": "die Laterne|die Geige|die Tasche|die Pfeife|die Schachtel|die Münze|die Landkarte",
            "zeit": "zwei Tagen|einer Stunde|einer Woche|gestern Abend|Mitternacht",
            "dauer": "zwei Tagen|einer Stunde|einer Woche|langer Zeit|drei Monaten",
            "obst": "Äpfel|Birnen|Kirschen|Nüsse|Pflaumen|Kuchen",
        },
    ),
}
FOREIGN_LANGUAGES: tuple[str, ...] = tuple(_FOREIGN)


def foreign_patterns() -> dict[str, list[str]]:
    """The sentence patterns of each language, by its ISO 639-1 code."""
    return {code: [line.strip() for line in body.strip().split("\n")] for code, (body, _) in _FOREIGN.items()}


def foreign_text(rng: random.Random) -> str:
    """A document of 2 to 5 paragraphs in Latin, French or German."""
    language = FOREIGN_LANGUAGES[int(rng.random() * len(FOREIGN_LANGUAGES))]
    patterns, slots = foreign_patterns()[language], _FOREIGN[language][1]

    def fill(found: re.Match[str]) -> str:
        name = found[1]
        word = one_of(slots[name.lower()].split("|"), rng)
        return word[0].upper() + word[1:] if name[0].isupper() else word

    paragraphs: list[list[str]] = [[]]
    last = ""
    for _ in range(between(FEWEST_SENTENCES, MOST_SENTENCES, rng)):
        if len(paragraphs[-1]) >= 3 and rng.random() < 0.4:
            paragraphs.append([])
        pattern = one_of([p for p in patterns if p != last], rng)
        paragraphs[-1].append(re.sub(r"\{(\w+)\}", fill, pattern))
        last = pattern
    return "\n\n".join(" ".join(sentences) for sentences in paragraphs)


# (text, title, random stream) -> dirty text.
_PLANTERS: dict[str, Callable[[str, str, random.Random], str]] = {
    "boilerplate": _boilerplate,
    "hyphens": lambda text, title, rng: _wrapped(text, rng, hyphens=True),
    "page_numbers": _page_numbers,
    "ocr": lambda text, title, rng: misread(text, rng, OCR_RATE),
    "duplicate": lambda text, title, rng: _duplicate(text, rng),
    "foreign": lambda text, title, rng: foreign_text(rng),
    "scan": _scan,
    "invisible": lambda text, title, rng: _invisible(text, rng),
    "garbage": lambda text, title, rng: _garbage(rng),
    "loop": lambda text, title, rng: f"{one_of(_LOOPS, rng)} " * between(40, 80, rng),
    "misread_scan": lambda text, title, rng: _scan(_misread_words(text, rng), title, rng),
    "spaced_marks": lambda text, title, rng: _spaced_marks(text, rng),
    "html": _html,
    "markdown": _markdown,
}
