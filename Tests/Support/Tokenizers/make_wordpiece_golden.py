#!/usr/bin/env python3
"""Writes the vocabularies and expected token ids of WordPieceTokenizerTests, beside this script.

The vocabularies are made up here; the ids are what the PyPI package `tokenizers` gives for them.
With KNAPSACK_MINILM (a folder with MiniLM's tokenizer.json) and KNAPSACK_MODELS (a folder with
emb-minilm-l6-v2/eval/stsb.tsv) it also writes the ids for that vocabulary, which is not copied.

    pip install tokenizers==0.23.3 && ./make_wordpiece_golden.py
"""

import json
import os
import pathlib
import random

from tokenizers import (
    AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors)

HERE = pathlib.Path(__file__).parent
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """the a an of and to in is on at two dogs dog play plays playing played run running runner
knapsack packs a model small fast device edge new york cafe naive facade resume uber strasse straße
istanbul don't won n't 's 'm 're 've un believ able ness ing ed er est ly tion 1st 2nd 100 2024 3.14
hello world token tokens tokenizer piece pieces word words é café ü naïve москва привет мир
मन हिन्दी العربية سلام 한국 ᄒ ᅡ ᆫ ᄀ ᅮ ᆨ 日 本 語 中 文 々 ヶ が か カ 😀 👍 ' " „ “ … – — € £ § ½ ² ﬁ ﷺ ℃ Å å
Hello World CAFÉ É ß ẞ İ i̇ ı I K Ω ω ς σ ǅ ǆ""".split()
SUFFIXES = """s ing ed er ly able ness tion ##nd k p n'T fe ve ïve straße e i o u an sack ack é ü ა
ий ет ва ᅡ ᆫ ᅮ ᆨ ̈ ́ ̇ ा ि ् न 語 文""".split()

TEXTS = [
    "", " ", "\t\n\r ", "hello", "Hello World", "two dogs play", "unbelievableness", "playing",
    "The knapsack packs a small, fast model: 100 tokens!", "New-York (2024) costs $3.14 / 100%?",
    "don't won't I'm we're they've it's", "café CAFÉ cafe\u0301 nai\u0308ve naïve Ünïted",
    "Straße STRASSE ẞ ß", "İstanbul ISTANBUL ıstanbul i\u0307", "日本語と中文", "hello日本world語",
    "々 ヶ がか カ ｶ\uff9e", "한국 한국어 \u1112\u1161\u11ab", "Привет, мир! МОСКВА й Й ё",
    "हिन्दी मन नि क\u093c \u0958", "السلام عليكم العَرَبِيَّة", "עִבְרִית \ufb1d", "😀👍 🏳️‍🌈 👨‍👩‍👧 family 👍🏽",
    "zero\u200bwidth zero\u200djoin \ufeffbom soft\u00adhyphen word\u2060join",
    "nul\x00nul bell\x07 \x1b[31mred\x1b[0m del\x7f vt\x0bff\x0cnel\x85end", "re\ufffdplace",
    "nbsp\u00a0nbsp em\u2003em ideo\u3000ideo line\u2028para\u2029end ogham\u1680end",
    "“quotes” „low“ … – — «guillemets» ¿que? ¡si! §5 ½ ² ° € £ ¥ © ® ™",
    "[CLS] hello [SEP] world [MASK] [PAD] [UNK]", "[MASK]ing un[MASK]able [ MASK ] [mask] [[MASK]]",
    "a" * 99, "a" * 100, "a" * 101, "play" * 24 + "ing", "x" * 250 + " dog", "é" * 100, "e\u0301" * 101,
    "play\u0301ing", "q\u0323\u0307 q\u0307\u0323", "\u0344 \u0301 \u0300\u0301", "ﬁ ﷺ ℃ Å \u212b \u2126 \u212a",
    "ΑΣ Σ ΣΑΣ ὈΔΥΣΣΕΎΣ ᾼ ᾳ Ω", "ǅ Ǆ ǆ Ĳ ŉ", "𝔘𝔫𝔦 ＡＢＣ １２３ ⅷ Ⅷ", "\U0002f800 \uf900 \ufa0e \U00020000\U0002a6df",
    "\u302e\u0301\u302f \u302f\u302a x\u302e\u0591\u302a", "\U0001d15e \U0001d160 \U0001d1bb",
    "Việt Nam Tiếng Việt ấ ậ ǖ ṩ", "ก็ เก็บ น้ำ ນ້ຳ", "ཨོཾ་མ་ཎི་པ་དྨེ་ཧཱུྃ", "ᜀᜁᜂ᜴ ༼ ᙮ ᚛ ᚜ ؟ ، ؛ ۔ । ॥",
    "tab\tnew\nline\r\ncrlf", "--- === *** ~~~ ``` ^^^ ||| <<< >>> +++ ___ @@@ ### $$$ %%% &&&",
    "C++ c# f(x)=x^2+1 user@example.com https://example.com/a?b=c#d 3,000.50 -1 +2",
    "the " * 60, "un" * 40 + " " + "dog " * 40,
]
PAIRS = [
    ("two dogs", "the dog plays"), ("", "hello"), ("hello", ""), ("", ""), ("the " * 30, "dog"),
    ("dog", "the " * 30), ("the " * 30, "dog " * 30), ("the " * 7, "dog " * 6),
    ("the " * 6, "dog " * 7), ("the " * 31, "dog " * 30), ("[SEP] x", "hello [MASK]"),
]


def random_texts(count):
    dice = random.Random(7)
    pools = [
        WORDS, list("abcdefghijklmnopqrstuvwxyz"), list(" \t\n\u00a0\u2003\u3000"), list(".,!?'-()[]"),
        [chr(c) for c in range(0x300, 0x370)], [chr(c) for c in range(0xC0, 0x250)],
        [chr(c) for c in (0x302A, 0x302B, 0x302E, 0x302F, 0x1D165, 0x1D166, 0x1D16D, 0x16FF0, 0x7FD,
                          0x8D3, 0x1AC1, 0xFE0F, 0x34F, 0x1B44, 0xABED, 0x9FE, 0x111C9, 0x1734)],
        [chr(c) for c in range(0xAC00, 0xAD00)] + list("가각한국"), list("日本語中文々豈更車"),
        [chr(c) for c in range(0x900, 0x980)], [chr(c) for c in range(0x5B0, 0x650)],
        [chr(c) for c in (0, 1, 7, 0x85, 0xAD, 0x200B, 0x200D, 0xFEFF, 0xFFFD, 0xE000, 0x1F600)],
        [chr(c) for c in range(0x1E00, 0x2000)], SPECIALS,
    ]
    return ["".join(dice.choice(dice.choice(pools)) for _ in range(dice.randint(1, 14)))
            for _ in range(count)]


def tokenizer(vocabulary, maximum=None, clean=True, chinese=True, strip=None, lower=True):
    made = Tokenizer(models.WordPiece(
        {token: i for i, token in enumerate(vocabulary)}, unk_token="[UNK]",
        max_input_chars_per_word=100))
    made.normalizer = normalizers.BertNormalizer(
        clean_text=clean, handle_chinese_chars=chinese, strip_accents=strip, lowercase=lower)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIALS])
    ids = {s: vocabulary.index(s) for s in SPECIALS}
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])])
    if maximum:
        made.enable_truncation(maximum)
    return made


def small_vocabulary():
    letters = [chr(c) for c in range(0x21, 0x7F)]
    tokens = SPECIALS + ["[unused0]"] + letters + WORDS
    tokens += ["##" + s for s in letters + SUFFIXES if s.isalnum() or len(s) > 1 or ord(s) > 0x7F]
    return list(dict.fromkeys(tokens))


def scalar_vocabulary():
    """Every scalar that folding can lead to, so that a wrong fold gives a wrong id."""
    everything = [chr(c) for c in range(0x80, 0x110000) if not 0xD800 <= c < 0xE000]
    found = set("ab")
    for strip, lower in ((True, True), (True, False), (False, True)):
        fold = normalizers.BertNormalizer(
            clean_text=False, handle_chinese_chars=False, strip_accents=strip, lowercase=lower)
        for text in everything:
            if 0xAC00 <= ord(text) < 0xD7A4:
                continue
            result = fold.normalize_str("a" + text)[1:]
            if result != text:
                found.update(result)
    found.update(chr(c) for c in [*range(0x1100, 0x1113), *range(0x1161, 0x1176),
                                  *range(0x11A8, 0x11C3)])
    tokens = sorted(found)
    return SPECIALS + tokens + ["##" + t for t in tokens]


def digests(vocabulary, **options):
    """FNV-1a over the ids of `a`, scalar, `b`, for each 4096 scalars."""
    made, result = tokenizer(vocabulary, **options), []
    for block in range(0, 0x110000, 4096):
        scalars = [c for c in range(block, block + 4096) if not 0xD800 <= c < 0xE000]
        result.append(digest(made.encode_batch(["a" + chr(c) + "b" for c in scalars])))
    return result


def digest(encodings):
    hash = 0xCBF29CE484222325
    for encoding in encodings:
        for id in encoding.ids:
            hash = (hash ^ id) * 0x100000001B3 % (1 << 64)
    return f"{hash:016x}"


def minilm(folder, models_folder):
    made = Tokenizer.from_file(f"{folder}/tokenizer.json")
    made.no_padding()
    lines = pathlib.Path(models_folder, "emb-minilm-l6-v2/eval/stsb.tsv").read_text().split("\n")
    rows = [line.split("\t")[:2] for line in lines[1:] if line]
    return dict(
        texts=[dict(text=text, ids=made.encode(text).ids) for text in TEXTS],
        pairs=len(rows),
        single=digest(made.encode_batch([text for row in rows for text in row])),
        paired=digest(made.encode_batch([tuple(row) for row in rows])))


def main():
    vocabulary = small_vocabulary()
    (HERE / "small-vocab.txt").write_bytes(("\n".join(vocabulary) + "\n").encode())
    tokenizer(vocabulary, 64).save(str(HERE / "small-tokenizer.json"), pretty=False)
    cases = []

    def case(text, pair=None, **options):
        made = tokenizer(vocabulary, **options)
        found = made.encode(text, pair) if pair is not None else made.encode(text)
        cases.append(dict(
            options, text=text, pair=pair, ids=found.ids, types=sum(found.type_ids),
            decoded=made.decode(found.ids), spelled=made.decode(found.ids, False)))

    for text in TEXTS + random_texts(250):
        case(text)
    for text in TEXTS:
        case(text, lower=False)
        case(text, strip=False)
        case(text, lower=False, strip=True, maximum=16)
        case(text, clean=False, chinese=False, maximum=7)
    for text, pair in PAIRS:
        for maximum in (3, 4, 7, 8, 15, 16, 40, 512):
            case(text, pair, maximum=maximum)
    with open(HERE / "small-golden.json", "w") as out:
        out.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")

    scalars = scalar_vocabulary()
    (HERE / "scalar-vocab.txt").write_bytes(("\n".join(scalars) + "\n").encode())
    blocks = {
        "uncased": digests(scalars),
        "cased": digests(scalars, lower=False),
        "accented": digests(scalars, strip=False),
        "uncleaned": digests(scalars, clean=False, chinese=False),
    }
    (HERE / "scalar-digests.json").write_text(json.dumps(blocks, indent=0) + "\n")
    if "KNAPSACK_MINILM" in os.environ:
        found = minilm(os.environ["KNAPSACK_MINILM"], os.environ["KNAPSACK_MODELS"])
        (HERE / "minilm-golden.json").write_text(json.dumps(found) + "\n")
    print(len(vocabulary), "tokens,", len(cases), "cases,", len(scalars), "scalar tokens")


main()
