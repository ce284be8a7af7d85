"""Messages as chats take them: blocks of Slack, cards of Teams. Pure."""

from __future__ import annotations

from typing import Any

from streams.deliver.message import Message


def _escaped(text: str) -> str:
    """Text with Slack's markup escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def slack(message: Message) -> dict[str, Any]:
    """The payload of an incoming webhook."""
    section = {"type": "section", "text": {"type": "mrkdwn", "text": _escaped(message.text)}}
    return {"text": _escaped(message.subject), "blocks": [section]}


def teams(message: Message) -> dict[str, Any]:
    """The payload of a workflow's webhook: an adaptive card."""
    first, *others = message.text.split("\n")
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": first, "weight": "bolder", "wrap": True},
            *({"type": "TextBlock", "text": line, "wrap": True} for line in others),
        ],
    }
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [content]}
