"""Words next to a number that say what it is (a phone, a booking), in the languages of our travellers. Pure.

`said` reads backwards from a number: the nearest word that says something decides, with nothing but small words between
("my phone *number is* 9123 4567"); a word that says nothing ends the search.
"""

from __future__ import annotations

import re
from enum import IntEnum


class Said(IntEnum):
    """The meaning that the words next to a number give it."""

    NOTHING = 0
    CALL = 1
    """A phone number."""
    REFERENCE = 2
    """A booking, an order, a flight, a room."""
    AMOUNT = 3
    """Money, or a quantity."""
    IDENTITY = 4
    """An identity or residence document."""
    PASSPORT = 5
    SMALL = 6
    """No meaning, but it may stand in between."""


_WORDS = {
    Said.CALL: """
        phone phones telephone tel telp tele telepon telefon telefonum telefonumuz telefonu mobile mob cell cellphone
        cellular call called calling ring text texted fax sms whatsapp whatapp watsapp wa wame hp handphone hubungi
        nombor nomer nomerku nomorku gsm cep cepten cebim cebimden ara arayın arayin arayabilirsiniz ulaşın ulasin
        contact contacts reach dial viber telegram imo landline hotline line
        téléphone telephoner portable appelez appeler appelle rappelez joindre contactez tél mobil
        جوال هاتف موبايل موبيل واتس واتساب واتسب تليفون تلفون اتصل اتصلوا اتصال كلموني كلمني تواصل تواصلوا للتواصل
        للاتصال فون موبائل رابطہ کال ٹیلیفون ٹیلی نمبرپر واٹس واٹسایپ ایپ ہاتف
        """,
    Said.REFERENCE: """
        booking bookings reservation confirmation reference ref pnr ticket eticket order invoice voucher itinerary
        flight flights confirmed case complaint incident tracking shipment awb folio receipt transaction txn trx loyalty
        membership member miles frequent points room rooms gate seat table suite floor level unit bus nusuk visa
        baggage bag tag policy account sku version model serial code otp
        kode tiket pesanan pemesanan tempahan rujukan reservasi rezervasyon bilet biletim sipariş siparis fatura uçuş
        ucus oda kamar bilik kursi koper bagasi resi invois resit keluhan
        réservation reservation billet commande facture dossier vol chambre référence bagage
        حجز الحجز حجزي تذكرة التذكرة تذكرتي مرجع المرجع طلب الطلب فاتورة الفاتورة رحلة الرحلة غرفة الغرفة تأكيد التأكيد
        تصريح بلاغ شكوى رحلتي غرفتي
        بکنگ ٹکٹ آرڈر فلائٹ کمرہ کمرے حوالہ رسید شکایت پرواز
        """,
    Said.AMOUNT: """
        price prices cost costs paid pay total amount fee fees refund refunded charged charge deposit balance sum worth
        sar usd eur gbp aed myr idr pkr try kwd qar omr bhd inr egp btc eth usdt rp rm rs tl lira dollars dollar euro
        euros riyal riyals rupiah ringgit rupees dirham dirhams dinar population steps
        harga bayar biaya total jumlah fiyat ücret ucret tutar ödedim odedim ödeme prix montant payé paye coût
        ريال ريالا درهم دينار دولار سعر السعر مبلغ المبلغ دفعت روپے قیمت ادا
        """,
    Said.IDENTITY: """
        id ids identity iqama igama nik ktp kimlik tckn tc ic mykad nric cnic nicop emirates nationalid kitas kk
        residence residency ssn nin identité cin cni
        هوية الهوية هويتي إقامة الإقامة اقامة الاقامة إقامتي اقامتي شناختی شناختي قومی
        """,
    Said.PASSPORT: """
        passport passports paspor pasport pasaport pasaportum passeport passeportu
        جواز الجواز جوازي باسبور پاسپورٹ
        """,
    Said.SMALL: """
        me us at on no nr num number numbers numb nomor numarası numarasi numaram numaramız numara numaraları my our the
        is are was a an your to and it its as of please pls by under with via for now directly anytime number's new old
        national card kartu kad personal civil government issued work home office private emergency
        permit in kuwait doha qatar bahrain muscat oman dubai jeddah riyadh makkah
        ke di saya kami adalah ini itu yaitu ialah kita aku nya anda pada dengan segera
        bana bize beni bizi şu su bu olan benim bizim lütfen lutfen hemen numaradan numaramdan no'lu nolu
        moi nous au à sur le la mon ma notre est numéro numero de du sous en koweït koweit
        رقم رقمي الرقم رقمه على علي هو هي من في يا عن بي بنا الشخصي الخاص السفر سفر سفري الوطنية الوطني المدنية
        الكويت الدوحة قطر البحرين مسقط عمان دبي
        نمبر پر میرا میری ہمارا ہے کا کی کے مجھے ہمیں سے یہ کریں کارڈ قومي میں
        """,
}
_SAYS: dict[str, Said] = {}
for _said, _listed in _WORDS.items():
    for _word in _listed.split():
        _SAYS.setdefault(_word, _said)

_STEMS = ("telefon", "numara", "pasaport", "kimlik", "rezervasyon", "whatsapp", "paspor", "telepon", "reserv")
"""Prefixes of words that have the same meaning with any ending."""
_PREFIXES = ("ال", "وال", "بال", "لل", "و", "ب", "ل")
"""Arabic words that are written together with the next."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
WINDOW = 60
"""Most characters before a number that are read."""
_MOST = 7


def _says(word: str) -> Said:
    found = _SAYS.get(word)
    if found is not None:
        return found
    for stem in _STEMS:
        if word.startswith(stem):
            return _SAYS.get(stem, Said.NOTHING)
    head, mark, rest = word.partition("'")
    if mark and len(head) == 1:  # d'identité, l'hôtel
        return _SAYS.get(rest, Said.NOTHING)
    if word[-1] in "يهك" and len(word) > 3 and (found := _SAYS.get(word[:-1], _SAYS.get(word[:-2] + "ة"))) is not None:
        return found
    for prefix in _PREFIXES:
        if word.startswith(prefix) and (found := _SAYS.get(word[len(prefix) :])) is not None:
            return found
    return Said.NOTHING


def said(text: str, start: int) -> Said:
    """The meaning of the number that begins there, by the words before it."""
    before = text[max(0, start - WINDOW) : start]
    matches = [*_WORD.finditer(before)][-_MOST:]
    end = len(before)
    for match in reversed(matches):
        between = before[match.end() : end]
        if (
            len(between) > 4
            or any(mark in between for mark in "\n;!?؟۔\0")
            or (". " in between and len(match.group()) > 4)
        ):
            return Said.NOTHING
        if between.startswith("]") and before[match.start() - 1 : match.start()] == "[":
            return Said.NOTHING  # a marker
        found = _says(match.group().lower())
        if found is not Said.SMALL:
            return found
        end = match.start()
    return Said.NOTHING


_AFTER = re.compile(
    r"\W{0,2}(?:\(\W?)?(?:(?:is|est|adalah|ini|bu|benim|saya|c'est|this|our|my|mon|هو|هذا|ہے|یہ|میرا|the|on|sur|di|su)\s+){0,3}"
    r"(?:phone|mobile|whats\s?app|cell|telephone|tel\b|telefon|telepon|nomor hp|hp\b|téléphone|portable|number to call|"
    r"جوال|رقمي|هاتفي|واتس|واتساب|(?:فون |موبائل )?نمبر|numaram)",
    re.IGNORECASE,
)
_AMOUNTS = re.compile(r"\s?([^\W\d_]+)")


def said_after(text: str, end: int) -> Said:
    """The meaning of the number that ends there, by the words after it: "9123 4567 is my mobile", "1500000 riyals"."""
    after = text[end : end + 40]
    if _AFTER.match(after):
        return Said.CALL
    word = _AMOUNTS.match(after)
    return Said.AMOUNT if word is not None and _says(word[1].lower()) is Said.AMOUNT else Said.NOTHING
