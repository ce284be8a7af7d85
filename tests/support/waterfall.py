"""A trace for people: the spans that a receiver took, as a tree in text and as a picture (SVG)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from tests.support.otlp import Seen

WIDTH, NAMES, ROW, TOP = 1180, 470, 19, 30
COLOURS = {
    "rihla-collect": "#6b7280",
    "rihla-produce": "#6b7280",
    "rihla-enrich": "#2563eb",
    "rihla-identity": "#9333ea",
    "rihla-stitch": "#0d9488",
    "rihla-deliver": "#d97706",
    "rihla-sink": "#be123c",
}


def in_order(spans: Iterable[Seen]) -> Iterator[tuple[int, Seen]]:
    """The spans of some traces with their depth: each after its parent, and children by their beginning."""
    ordered = sorted(spans, key=lambda span: (span.began, span.service, span.name))
    known = {span.span for span in ordered}

    def under(parent: Seen, depth: int) -> Iterator[tuple[int, Seen]]:
        yield depth, parent
        for span in ordered:
            if span.parent == parent.span:
                yield from under(span, depth + 1)

    for root in ordered:
        if root.parent not in known:
            yield from under(root, 0)


def tree(spans: Sequence[Seen]) -> str:
    """A line each span: when it began and how long it took, in ms from the first; service and name, indented."""
    first = min(span.began for span in spans)
    lines = []
    for depth, span in in_order(spans):
        linked = f"  (linked to trace {span.links[0][:8]})" if span.links else ""
        failed = "  FAILED" if span.failed else ""
        begin, took = (span.began - first) / 1e6, (span.ended - span.began) / 1e6
        name = f"{span.service.removeprefix('rihla-')}: {span.name}"
        lines.append(f"{begin:8.1f} {took:8.1f}  {'  ' * depth}{name}{linked}{failed}")
    return "\n".join(["   begin     took  ms", *lines])


def svg(spans: Sequence[Seen], title: str) -> str:
    """The same as a waterfall."""
    first, last = min(span.began for span in spans), max(span.ended for span in spans)
    scale = (WIDTH - NAMES - 70) / max(last - first, 1)
    rows = [*in_order(spans)]
    height = TOP + ROW * len(rows) + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="8" y="19" font-size="14" font-weight="bold" fill="#111827">{escape(title)}</text>',
    ]
    for at, (depth, span) in enumerate(rows):
        y = TOP + ROW * at
        begin = NAMES + (span.began - first) * scale
        width = max((span.ended - span.began) * scale, 1.5)
        service = span.service.removeprefix("rihla-")
        linked = " ⤷ linked to the event’s trace" if span.links else ""
        fill = "#f3f4f6" if at % 2 else "#ffffff"
        parts += [
            f'<rect x="0" y="{y}" width="{WIDTH}" height="{ROW}" fill="{fill}"/>',
            f'<text x="{8 + 16 * depth}" y="{y + 14}" fill="#374151"><tspan fill="{COLOURS.get(span.service, "#000")}" '
            f'font-weight="bold">{escape(service)}</tspan> {escape(span.name + linked)}</text>',
            f'<rect x="{begin:.1f}" y="{y + 4}" width="{width:.1f}" height="{ROW - 8}" rx="2" '
            f'fill="{"#dc2626" if span.failed else COLOURS.get(span.service, "#000")}"/>',
            f'<text x="{begin + width + 4:.1f}" y="{y + 14}" fill="#6b7280" font-size="10">'
            f"{(span.ended - span.began) / 1e6:.0f} ms</text>",
        ]
    parts.append(
        f'<text x="{NAMES}" y="{height - 8}" fill="#6b7280">0</text>'
        f'<text x="{WIDTH - 70}" y="{height - 8}" fill="#6b7280" text-anchor="end">{(last - first) / 1e6:.0f} ms</text>'
        "</svg>"
    )
    return "\n".join(parts)
