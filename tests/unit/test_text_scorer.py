"""Worked examples of the text scorer in its languages: polarity, aspects, language, and null where nothing is said."""

from __future__ import annotations

import pytest

from streams.text.scorer import Scorer, TextScore


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer()


def one(scorer: Scorer, text: str, locale: str | None = None) -> TextScore:
    (result,) = scorer.score([text], [locale])
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("text", "language", "sign", "aspects"),
    [
        ("My flight was delayed 3 hours", "en", -1, {"delay": -1}),
        ("still on hold", "en", -1, {"waiting": -1}),
        ("You lost my bag!", "en", -1, {"baggage": -1}),
        ("not good", "en", -1, {}),
        ("not bad at all", "en", 1, {}),
        ("The room was clean but the staff were rude.", "en", -1, {"room": 1, "cleanliness": 1, "staff": -1}),
        ("the wudhu area was filthy", "en", -1, {"prayer": -1, "cleanliness": -1}),
        ("our mutawwif was wonderful", "en", 1, {"guide": 1}),
        ("everything was perfect except the breakfast", "en", 1, {"food": -1}),
        ("الغرفة وسخة", "ar", -1, {"room": -1, "cleanliness": -1}),
        ("الخدمة ممتازة والفندق قريب من الحرم", "ar", 1, {"staff": 1, "location": 1}),
        ("الأكل مش حلو", "ar", -1, {"food": -1}),
        ("معجبنيش الفندق خالص", "ar", -1, {}),
        ("مكان الوضوء غير نظيف", "ar", -1, {"prayer": -1}),
        ("ضاعت شنطتي", "ar", -1, {"baggage": -1}),
        ("kamar kotor", "id", -1, {"room": -1, "cleanliness": -1}),
        ("makanannya enak banget!", "id", 1, {"food": 1}),
        ("pelayanannya tidak ramah", "id", -1, {"staff": -1}),
        ("bagasi saya hilang", "id", -1, {"baggage": -1}),
        ("Bilik kotor dan layanan teruk", "ms", -1, {"room": -1, "staff": -1}),
        ("biliknya selesa, kakitangan mesra", "ms", 1, {"room": 1, "staff": 1}),
        ("Oda çok temizdi ama yemekler lezzetsizdi", "tr", -1, {"room": 1, "food": -1}),
        ("hiç memnun kalmadık", "tr", -1, {}),
        ("cok guzel bir otel", "tr", 1, {}),
        ("sorunsuz bir uçuş", "tr", 1, {}),
        ("Uçuşum 5 saat rötar yaptı", "tr", -1, {"delay": -1}),
        ("کمرہ گندا تھا", "ur", -1, {"room": -1, "cleanliness": -1}),
        ("سروس اچھی نہیں تھی", "ur", -1, {"staff": -1}),
        ("کھانا بہت مزیدار تھا", "ur", 1, {"food": 1}),
        ("kamra bohat ganda tha", "ur", -1, {"room": -1}),
        ("staff bohat acha tha lekin khana bekar tha", "ur", -1, {"staff": 1, "food": -1}),
    ],
)
def test_worked_example(scorer: Scorer, text: str, language: str, sign: int, aspects: dict[str, int]) -> None:
    result = one(scorer, text)
    assert result.language == language
    assert result.score is not None
    assert result.score * sign > 0
    assert 0 < result.confidence <= 1
    found = dict(result.aspects)
    for aspect, polarity in aspects.items():
        score = found[aspect]
        assert score is not None
        assert score * polarity > 0


@pytest.mark.parametrize(
    "text",
    [
        "I am flying to Jeddah on Monday",
        "What time is check in?",
        "besok saya berangkat jam 7",
        "رقم الحجز ١٢٣٤",
        "",
        " ",
        "12345",
        "saya mau pesan kamar untuk dua orang",
        "مسجد الحرام",
        "mesajınız alındı",
    ],
)
def test_nothing_expressed_is_null_not_zero(scorer: Scorer, text: str) -> None:
    result = one(scorer, text)
    assert result.score is None
    assert result.confidence == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "Hola, la habitación estaba muy sucia y el personal fue desagradable",
        "Комната грязная",
        "部屋は汚い",
        "La camera era molto sporca e il personale non era gentile",
        "اتاق خیلی کثیف بود و غذا خوب نیست",
    ],
)
def test_a_language_that_is_not_ours_is_null(scorer: Scorer, text: str) -> None:
    result = one(scorer, text)
    assert (result.language, result.score, result.aspects) == (None, None, [])


def test_an_aspect_without_an_opinion_has_no_score(scorer: Scorer) -> None:
    assert one(scorer, "What time is breakfast?").aspects == [("breakfast", None), ("food", None)]


def test_intensifiers_and_negation_order_the_scores(scorer: Scorer) -> None:
    texts = ["الفندق جميل جدا", "الفندق جميل", "الفندق غير جميل"]
    scores = [one(scorer, text).score for text in texts]
    assert scores == sorted((s for s in scores if s is not None), reverse=True)
    assert scores[-1] is not None
    assert scores[-1] < 0


def test_emoji_speak_without_words(scorer: Scorer) -> None:
    happy, angry = one(scorer, "👍"), one(scorer, "😡😡")
    assert (happy.language, angry.language) == (None, None)
    assert happy.score is not None
    assert angry.score is not None
    assert happy.score > 0 > angry.score


def test_the_locale_decides_between_malay_and_indonesian(scorer: Scorer) -> None:
    assert one(scorer, "hotel baik", "ms-MY").language == "ms"
    assert one(scorer, "hotel baik", "id-ID").language == "id"


def test_a_clear_text_overrules_the_locale(scorer: Scorer) -> None:
    assert one(scorer, "The room was dirty and the staff were rude", "tr-TR").language == "en"
    assert one(scorer, "الغرفة وسخة", "en-GB").language == "ar"


def test_mixed_text_is_read_in_both_languages(scorer: Scorer) -> None:
    result = one(
        scorer, "Check in was at 3 and we had the room on the top floor tapi kamarnya kotor sekali dan bau banget"
    )
    assert result.score is not None
    assert result.score < 0
    assert "cleanliness" in dict(result.aspects)


def test_sentences_have_their_own_scores(scorer: Scorer) -> None:
    first, second = one(scorer, "The room was lovely. The food was awful!").sentences
    assert first.text == "The room was lovely."
    assert first.score is not None
    assert second.score is not None
    assert first.score > 0 > second.score


def test_rows_come_back_in_order_and_no_text_gives_none(scorer: Scorer) -> None:
    results = scorer.score([None, "good", None, "bad"])
    assert [result is None for result in results] == [True, False, True, False]


def test_locales_must_match_the_texts(scorer: Scorer) -> None:
    with pytest.raises(ValueError, match="2 texts but 1 locales"):
        scorer.score(["a", "b"], ["en"])


def test_a_but_does_not_outweigh_a_review_without_punctuation() -> None:
    review = (
        "المكان جميل والطعام لذيذ والموظفون في غاية اللطف وجلسنا مع العائلة ساعات طويلة "
        "لكن الزحام شديد في المساء وبعد ذلك شربنا القهوة على الشرفة ورجعنا في اليوم التالي"
    )
    score = Scorer().score_one(review, "ar")
    assert score.score is not None
    assert score.score > 0
