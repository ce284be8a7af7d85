"""Messages as chats take them: blocks of Slack, cards of Teams. Pure."""

from __future__ import annotations

from typing import Any

from streams.deliver.message import Message

WORDS = {"take": "I take it", "answer": "Answered", "resolve": "Resolved", "not_mine": "Not mine", "snooze": "Later"}
"""What a button says."""


def _escaped(text: str) -> str:
    """Text that Slack takes for nothing but text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def slack(message: Message) -> dict[str, Any]:
    """The payload of an incoming webhook."""
    blocks: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": _escaped(message.text)}}]
    if message.links:
        buttons = [
            {"type": "button", "text": {"type": "plain_text", "text": WORDS[word]}, "url": url}
            for word, url in message.links.items()
        ]
        blocks.append({"type": "actions", "elements": buttons})
    return {"text": _escaped(message.subject), "blocks": blocks}


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
        "actions": [
            {"type": "Action.OpenUrl", "title": WORDS[word], "url": url} for word, url in message.links.items()
        ],
    }
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [content]}
