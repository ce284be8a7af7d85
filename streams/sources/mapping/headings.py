"""What the columns of tables and the words of statuses probably mean, in the languages of Rihla's travellers and of the
systems that it meets: English, German, French, Spanish, Turkish, Indonesian, Malay and Arabic. For proposals alone."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from streams.sources.spelling import near, word

_APART: Final = re.compile(r"[\W_]+")

_NO: Final = r"_?(no|nr|num|number|id|code|ref\w*|nummer)"
_BEFORE: Final = r"(no|num|numero|nomor|numarasi|kode|id|code|رقم)_?(de_|d_|del_|de_la_)?"
_GUEST: Final = (
    r"(guest|customer|client|travell?er|passenger|profile|user|gast|kunden?|huesped|cliente|misafir|musteri|tamu|"
    r"pelanggan|tetamu|jamaah|ضيف|الضيف|العميل|النزيل|المسافر|الحاج|المعتمر)"
)
_BOOKING: Final = (
    r"(res|reserv\w*|book\w*|confirm\w*|trip|order|buchungs?|reservierungs?|rezervasyon|reservasi|pemesanan|tempahan|"
    r"الحجز)"
)

NAMES: Final = {
    "email": r"e?_?mail|courriel|correo|e_?posta|emel|surel|بريد|البريد",
    "phone": r"phone|mobile?|handy|(^|_)tel(_|$)|telef|telep|telp|msisdn|whatsapp|cep_tel|هاتف|الهاتف|جوال|الجوال",
    "loyalty": r"loyal|member|frequent|mitglied|fidelite|sadakat|عضوية|العضوية",
    "customer": rf"{_GUEST}{_NO}|{_BEFORE}{_GUEST}|^{_GUEST}$",
    "booking_ref": rf"(^|_){_BOOKING}{_NO}|^{_BEFORE}{_BOOKING}|^pnr$|record_locator",
    "status": r"status|state|statut|estado|durum|event|touchpoint|action|^type$|^الحالة$|^حالة",
    "medium": r"medium|channel|kanal|canal|saluran|source|origin|quelle|القناة|^قناة|المصدر",
    "amount": (
        r"total|amount|price|revenue|paid|fare|cost|betrag|preis|umsatz|montant|prix|importe|precio|tutar|fiyat|harga|"
        r"^jumlah$|jumlah_bayar|المبلغ|^مبلغ|السعر|الاجمالي"
    ),
    "currency": r"currency|^curr?$|^ccy$|wahrung|waehrung|devise|moneda|para_birimi|doviz|mata_uang|العملة|^عملة",
    "country": (
        r"country|nationality|^nation$|^land$|staats|nationalitat|pays|^pais|ulke|uyruk|negara|الدولة|البلد|الجنسية"
    ),
    "locale": r"^locale$|language|^lang$|sprache|langue|idioma|^dil$|bahasa|اللغة|^لغة",
    "party_size": (
        r"pax|party|guests$|persons|travell?ers|adults|^erw$|erwachsene|personen|adultes|adultos|kisi|yetiskin|"
        r"jumlah_(tamu|orang)|dewasa|عدد_(الضيوف|النزلاء|الافراد|الاشخاص)|البالغين"
    ),
    "nights": r"nights|length_of_stay|^los$|nachte|naechte|nuits|noches|gece|malam|ليالي|الليالي",
    "nps": r"nps",
    "stars": r"rating|stars|bewertung|sterne|etoiles|estrellas|yildiz|puan|penilaian|bintang|التقييم|^تقييم",
    "text": (
        r"comment|review|text|feedback|message|body|kommentar|commentaire|comentario|yorum|komentar|ulasan|تعليق|التعليق"
    ),
    "unit": r"property|hotel|flight|outlet|branch|unit|otel|cabang|cawangan|الفندق|^فندق|الفرع",
}
"""Field: the names of columns, as `heading` gives them, that probably hold it."""

_MOMENTS: Final = (
    (r"cancel|cxl|storn|annul|iptal|batal|الالغاء|الغاء", "cancelled", "booking.cancelled"),
    (
        r"depart|check_?out|(^|_)dep(_|$)|abreise|salida|cikis|keluar|المغادرة|مغادرة|الخروج",
        "departed",
        "stay.checked_out",
    ),
    (
        r"arriv|check_?in|(^|_)arr(_|$)|anreise|ankunft|llegada|giris|masuk|الوصول|وصول|الدخول",
        "arrived",
        "stay.arrived",
    ),
    (r"book|reserv|creat|gebucht|buchung|erstellt|rezervasyon|pemesanan|الحجز|حجز", "booked", "booking.confirmed"),
)
_WORDS: Final = (
    (r"cancel|cxl|cncl|^can$|storn|annul|iptal|batal|ملغي|ملغى|الغاء", "booking.cancelled"),
    (
        r"no_?show|^n_?s$|nicht_(angereist|erschienen)|no_llego|non_presente|gelmedi|tidak_(datang|hadir)|لم_يحضر|"
        r"عدم_حضور",
        "check_in.no_show",
    ),
    (
        r"check\w*_?out|depart|^out$|^c_?o$|^dep$|abgereist|ausgecheckt|^parti|salio|ayrildi|cikis|keluar|غادر|مغادر",
        "stay.checked_out",
    ),
    (
        r"check\w*_?in|in_?house|arriv|^in$|^c_?i$|^arr$|^inh$|im_haus|angereist|eingecheckt|alojado|konakliyor|giris|"
        r"masuk|menginap|وصل|مقيم|نزيل",
        "stay.arrived",
    ),
    (r"modif|amend|chang|geandert|degisti|diubah|معدل", "booking.modified"),
    (r"wait_?list|^w_?l$|warteliste|liste_d_attente|bekleme|daftar_tunggu|انتظار", "booking.waitlisted"),
    (
        r"confirm|conf$|^conf|booked|reserv|guarant|^res$|^rsv$|^gtd$|^def$|bestatigt|gebucht|onayl|konfirmasi|disahkan|"
        r"موكد",
        "booking.confirmed",
    ),
)
_MEDIA: Final = (
    (r"booking|expedia|agoda|airbnb|hotels_com|hrs|ota$|agen|partner|gds|وكال", "partner"),
    (r"walk_?in|front_?desk|reception|rezeption|counter|schalter|resepsiyon|resepsionis|الاستقبال|حضور", "in_person"),
    (r"e_?mail|e_?posta|correo|courriel|بريد", "email"),
    (r"phone|telefon|tele|call|anruf|هاتف", "call_centre"),
    (r"^app|mobile_app|تطبيق", "app"),
    (r"web|online|internet|site|direct|direkt|موقع", "web"),
)
_DENIED: Final = re.compile(r"^(un(?=conf|best)|not_|non_conf|no_conf|nicht_(?!an|er)|belum_|onaylanmadi|غير_)")
NOTHING: Final = frozenset(
    {"-", "--", "---", ".", "n/a", "none", "nil", "keine", "keine Angabe", "k.A.", "k. A.", "aucun", "ninguno", "yok"}
    | {"tidak ada", "tiada", "لا يوجد"}
)
"""Cells that stand for nothing."""


def heading(text: str) -> str:
    """A column's name or a status without case, accents and separators: `Gast-Nr.` is gast_nr, `Währung` is wahrung."""
    bare = unicodedata.normalize("NFKD", text.casefold().replace("\u0131", "i"))
    bare = "".join(one for one in bare if not unicodedata.combining(one) and one != "\u0640")  # tatweel
    return _APART.sub("_", bare).strip("_")


def moment(column: str) -> tuple[str, str] | None:
    """(name of an event, touchpoint) of which a column of times probably says when it was."""
    folded = heading(column)
    return next(((name, said) for pattern, name, said in _MOMENTS if re.search(pattern, folded)), None)


def meaning(cell: str) -> str | None:
    """The touchpoint that a word of a status probably means."""
    if said := word("touchpoint", cell):
        return said
    folded = heading(cell)
    if _DENIED.search(folded):
        return None
    return next((meant for pattern, meant in _WORDS if re.search(pattern, folded)), None) or next(
        iter(near(cell, channel=True)), None
    )


def medium(cell: str) -> str | None:
    """The medium that a word of a channel or source probably means."""
    folded = heading(cell)
    return word("medium", cell) or next((said for pattern, said in _MEDIA if re.search(pattern, folded)), None)
