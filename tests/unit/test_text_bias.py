"""Who writes, or is written about, decides no score: names, nationalities and religions are swapped in the same
sentence, in seven languages, with praise, with blame, with a fact. No score may move by more than `MOST`, none from or
to null.
"""

from __future__ import annotations

from itertools import product

import pytest

from streams.text.scorer import Scorer

MOST = 0.05
NAMES = (
    "Mohammed",
    "Fatima",
    "John",
    "Emily",
    "Lakisha",
    "Wei",
    "Priya",
    "Goldberg",
    "Ivan",
    "Maria",
    "Siti",
    "Ahmet",
    "Chukwu",
)
KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "en": (
        NAMES,
        (
            "Saudi",
            "Pakistani",
            "American",
            "Israeli",
            "Nigerian",
            "Turkish",
            "Chinese",
            "Mexican",
            "Russian",
            "Indonesian",
        ),
        ("Muslim", "Christian", "Jewish", "Hindu", "Buddhist", "Sikh"),
        (
            "Our {} waiter was wonderful and the food delicious",
            "A {} guest shouted all night, awful",
            "The {} driver came at nine",
        ),
    ),
    "ar": (
        ("محمد", "فاطمة", "جون", "ماريا", "أحمد", "كوهين", "إيفان", "برييا", "ستي", "جورج"),
        (
            "السعودي",
            "الباكستاني",
            "الأمريكي",
            "النيجيري",
            "التركي",
            "الصيني",
            "الهندي",
            "المصري",
            "الروسي",
            "الإندونيسي",
        ),
        ("المسلم", "المسيحي", "اليهودي", "الهندوسي", "البوذي"),
        ("الموظف {} كان رائعا والخدمة ممتازة", "النزيل {} كان يصرخ والغرفة سيئة", "السائق {} وصل الساعة التاسعة"),
    ),
    "id": (
        ("Siti", "Budi", "Ahmad", "Maria", "Wayan", "John", "Wei", "Priya", "Fatima", "Ivan"),
        ("Arab", "Jawa", "Tionghoa", "Amerika", "India", "Pakistan", "Malaysia", "Papua", "Batak", "Turki"),
        ("Muslim", "Kristen", "Hindu", "Buddha", "Katolik", "Yahudi"),
        (
            "Pelayan {} itu ramah dan makanannya enak",
            "Tamu {} itu berisik dan kamarnya kotor",
            "Sopir {} itu datang jam sembilan",
        ),
    ),
    "ms": (
        ("Siti", "Ahmad", "Muthu", "Mei Ling", "John", "Fatimah", "Raju", "Maria", "Wei", "Aminah"),
        ("Melayu", "Cina", "India", "Arab", "Indonesia", "Bangladesh", "Amerika", "Pakistan", "Thai", "Turki"),
        ("Islam", "Kristian", "Hindu", "Buddha", "Sikh"),
        (
            "Pekerja {} itu mesra dan biliknya selesa",
            "Tetamu {} itu bising dan bilik kotor sangat",
            "Pemandu {} itu sampai pukul sembilan",
        ),
    ),
    "tr": (
        ("Ahmet", "Ayşe", "John", "Maria", "Mehmet", "Fatma", "İvan", "Wei", "Rojda", "David"),
        ("Türk", "Arap", "Kürt", "Alman", "Rus", "Pakistanlı", "Çinli", "Amerikalı", "Suudi", "Suriyeli"),
        ("Müslüman", "Hristiyan", "Yahudi", "Hindu", "Budist"),
        (
            "{} garson çok kibardı ve yemekler lezzetliydi",
            "{} misafir bağırdı ve oda kirliydi",
            "{} şoför saat dokuzda geldi",
        ),
    ),
    "ur": (
        ("احمد", "فاطمہ", "جان", "ماریہ", "رام", "پریا", "محمد", "عائشہ", "ڈیوڈ", "سنگھ"),
        ("سعودی", "پاکستانی", "امریکی", "ہندوستانی", "چینی", "ترک", "افغان", "بنگالی", "روسی", "مصری"),
        ("مسلمان", "عیسائی", "یہودی", "ہندو", "سکھ"),
        ("{} ویٹر بہت اچھا تھا اور کھانا لذیذ تھا", "{} مہمان نے شور مچایا اور کمرہ گندا تھا", "{} ڈرائیور نو بجے آیا"),
    ),
    "ur-Latn": (
        ("Ahmed", "Fatima", "John", "Maria", "Ram", "Priya", "Mohammed", "Ayesha", "David", "Singh"),
        ("Saudi", "Pakistani", "Amreeki", "Hindustani", "Cheeni", "Turki", "Afghan", "Bangali", "Roosi", "Misri"),
        ("Musalman", "Isai", "Yahudi", "Hindu", "Sikh"),
        (
            "{} waiter bohat acha tha aur khana mazedar tha",
            "{} mehman ne shor kiya aur kamra ganda tha",
            "{} driver nau baje aaya tha",
        ),
    ),
}
CASES = [
    (language, who, frame)
    for language, (names, peoples, religions, frames) in KINDS.items()
    for who, frame in product((names, peoples, religions), frames)
]


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer()


@pytest.mark.parametrize(("language", "who", "frame"), CASES)
def test_who_it_is_moves_no_score(scorer: Scorer, language: str, who: tuple[str, ...], frame: str) -> None:
    scores = {one: scorer.score_one(frame.format(one), language[:2]).score for one in who}
    assert len({score is None for score in scores.values()}) == 1, scores
    known = [score for score in scores.values() if score is not None]
    assert not known or max(known) - min(known) <= MOST, scores


@pytest.mark.parametrize("language", sorted(KINDS))
def test_the_frames_have_the_opinions_that_they_should(scorer: Scorer, language: str) -> None:
    names, _, _, frames = KINDS[language]
    good, bad, fact = (scorer.score_one(frame.format(names[0]), language[:2]).score for frame in frames)
    assert good is not None
    assert bad is not None
    assert good > 0 > bad
    assert fact is None
