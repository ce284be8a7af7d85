"""Letters and e-mails, of an mbox or of one .eml, as rows for a mapping: who wrote what, and nothing that was quoted.

Columns: id, date (ISO 8601), from, from_name, to, subject, text, in_reply_to, automatic ("yes" for replies of machines:
RFC 3834). The text is the plain part, or that of HTML without its tags. Out of it are taken: lines that are quoted
(`>`), all behind the sentence that begins a quotation or a forwarded letter (in English, Arabic, German, French,
Spanish, Turkish, Indonesian), and the signature, behind `-- ` (RFC 3676) or the line of a telephone.
"""

from __future__ import annotations

import mailbox
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from email.utils import getaddresses, parsedate_to_datetime
from html.parser import HTMLParser
from typing import Any

from streams.sources.events import SourceError

COLUMNS = ("id", "date", "from", "from_name", "to", "subject", "text", "in_reply_to", "automatic")

_QUOTES = re.compile(
    r"^\s*(?:On\b.{4,200}\bwrote:|Am\b.{4,200}\bschrieb.{0,80}:|Le\b.{4,200}\ba écrit\s?:|El\b.{4,200}\bescribió:"
    r"|.{4,200}\btarihinde.{0,120}\byazdı:|Pada\b.{4,200}\bmenulis:|في\b.{4,200}\bكتب.{0,80}:"
    r"|-{2,}\s*(?:Original Message|Forwarded message|Ursprüngliche Nachricht|Message d'origine|الرسالة الأصلية)\s*-{2,}"
    r"|_{20,})\s*$",
    re.IGNORECASE,
)
_BEGUN = re.compile(r"^\s*(?:On|Am|Le|El|Pada|في)\b.{4,120}$")
"""The first of two lines of such a sentence."""
_HEADS = re.compile(r"^\s*(?:From|Von|De|Dari|Kimden|من)\s*:\s.*$", re.IGNORECASE)
_SENT = re.compile(
    r"^\s*(?:Sent|Date|Gesendet|Envoyé|Enviado|Dikirim|Gönderildi|تاريخ|To|An|À)\s*:\s.*$", re.IGNORECASE
)
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)
"""A line of a letter in an mbox that begins with From (RFC 4155)."""
_SIGNATURE = re.compile(
    r"^(?:--\s?|(?:Sent from my|Get Outlook for|Von meinem|Envoyé de mon|Enviado desde mi|أرسلت من)\b.*)$"
)


def letters(path: str, name: str) -> Iterator[tuple[int, dict[str, str | None]]]:
    """(number from 1, row) of each letter of a file. Raises SourceError."""
    try:
        with open(path, "rb") as file:
            begins = file.read(5)
            whole = b"" if begins == b"From " else begins + file.read()
        if begins == b"From ":
            box = mailbox.mbox(path, factory=None, create=False)
            for number, key in enumerate(box.iterkeys(), 1):
                yield number, row_of(_ESCAPED.sub(rb"\1", box.get_bytes(key)))
            return
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror or error}") from error
    row = row_of(whole)
    if row["from"] is None and row["date"] is None:
        raise SourceError(f"{name}: this is no letter: it has neither From nor Date in front (.eml), and is no mbox")
    yield 1, row


def row_of(data: bytes) -> dict[str, str | None]:
    """The columns of one letter. What it does not say, or cannot be read, is None."""
    found = message_from_bytes(data, policy=policy.default)
    writers = getaddresses([_head(found, "From") or ""])
    return {
        "id": (_head(found, "Message-ID") or "").strip(" <>") or None,
        "date": _date(_head(found, "Date")),
        "from": writers[0][1] or None if writers else None,
        "from_name": writers[0][0] or None if writers else None,
        "to": ", ".join(address for _, address in getaddresses([_head(found, "To") or ""]) if address) or None,
        "subject": _head(found, "Subject"),
        "text": own_words(_text(found)) or None,
        "in_reply_to": (_head(found, "In-Reply-To") or "").strip(" <>") or None,
        "automatic": "yes" if (_head(found, "Auto-Submitted") or "no").lower() != "no" else None,
    }


def own_words(text: str) -> str:
    """A text without what it quotes and without its signature."""
    kept: list[str] = []
    lines = text.replace("\r\n", "\n").split("\n")
    for at, line in enumerate(lines):
        after = lines[at + 1] if at + 1 < len(lines) else ""
        if _QUOTES.match(line) or (_BEGUN.match(line) and _QUOTES.match(f"{line.rstrip()} {after.strip()}")):
            break
        if _HEADS.match(line) and any(_SENT.match(one) for one in lines[at + 1 : at + 4]):
            break
        if _SIGNATURE.match(line):
            break
        if not line.lstrip().startswith(">"):
            kept.append(line.rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def _head(found: Message, name: str) -> str | None:
    try:
        value = found.get(name)
    except (ValueError, IndexError, AttributeError, TypeError):  # heads that the library cannot parse
        return None
    return str(value).strip() or None if value is not None else None


def _date(text: str | None) -> str | None:
    try:
        return parsedate_to_datetime(text).isoformat() if text else None
    except (ValueError, TypeError, IndexError):
        return None


def _text(found: EmailMessage) -> str:
    try:
        part = found.get_body(preferencelist=("plain", "html"))
        content: Any = part.get_content() if part is not None else ""
    except (LookupError, ValueError, KeyError, AttributeError, AssertionError):  # an encoding that nobody knows
        return ""
    if not isinstance(content, str):
        return ""
    return _plain(content) if part is not None and part.get_content_subtype() == "html" else content


class _Plain(HTMLParser):
    """The text of HTML, a line a block; none of what is quoted."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("style", "script", "head", "blockquote"):
            self._silent += 1
        elif tag in ("br", "p", "div", "tr", "li"):
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script", "head", "blockquote"):
            self._silent = max(0, self._silent - 1)
        elif tag in ("p", "tr"):
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(re.sub(r"\s+", " ", data))


def _plain(html: str) -> str:
    parser = _Plain()
    parser.feed(html)
    parser.close()
    return "\n".join(line.strip() for line in "".join(parser.parts).split("\n"))
