"""`rihla score`: what a text says of a traveller's feelings, one JSON line in, one JSON line out, in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click

_BLOCK = 1 << 20


@click.command(epilog="Exit status: 0 if every line was scored, 1 if some were no such objects, or a set is worse.")
@click.option(
    "--labelled",
    metavar="DIRECTORY",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Instead, score the CSV files of a directory (named language_set.csv[.gz]; columns text and label: -1, 0, 1) "
    "and print macro-F1, F1 by label, nulls, languages found and speed, a line for each set.",
)
@click.option(
    "--gate",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --labelled: compare with the figures in this CSV file, and fail where the macro-F1 of a set is below "
    "the interval that it had; where there is no such file, write it.",
)
@click.option(
    "--errors",
    "book",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --labelled: instead of the table, write the texts with a wrong sign to this CSV file, each with its "
    "cause and the words that counted, and print the causes by set.",
)
@click.option(
    "--explain",
    metavar="TEXT",
    multiple=True,
    help="Instead, show a text with the words that made its score, in colour, and what each did; may be repeated. "
    "`--explain -` reads a text a line from stdin.",
)
@click.option("--locale", metavar="TAG", help="With --explain: the BCP 47 tag that the text came with.")
@click.option(
    "--file",
    "source",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read the JSON lines from this file instead of stdin, and show the progress on stderr.",
)
@click.option(
    "--learn",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='Instead, propose lexicon lines from corrections, JSON lines {"text": ..., "right": -1 to 1}: for a person to '
    "approve; nothing is changed. `rihla query sentiment_corrections` has those that were sent as events.",
)
def score(
    labelled: Path | None,
    gate: Path | None,
    book: Path | None,
    explain: tuple[str, ...],
    locale: str | None,
    source: Path | None,
    learn: Path | None,
) -> int:
    """Score texts: JSON lines {"text": ..., "locale": ...} on stdin to JSON lines on stdout, in order.

    Each answer has "score" (-1 to 1; null where nothing is expressed or the language is not known), "confidence"
    (0 to 1), "language", "aspects" (each with its own score), "intents" (complaint, question, praise, request, leave,
    threat, human), "emotion" (anger, fear, sadness, joy, or null), "effort" (true where the writer tells of repeated
    attempts), "urgent" and "concerns" (what must never wait). "locale" (BCP 47) is optional and helps to tell the
    language. A line that is no such object is answered by {"error": ...}. What arrives together is scored together,
    and answered at once.

    \b
      echo '{"text": "The room was spotless, but check-in took two hours."}' | rihla score
    """
    if labelled is not None:
        return _labelled(labelled, gate, book)
    if gate is not None or book is not None:
        raise click.UsageError("--gate and --errors go with --labelled")
    if learn is not None:
        return _learn(learn)
    if explain:
        _explain(explain, locale)
        return 0
    scorer = _scorer()
    if source is not None:
        return _score_file(scorer, source)
    out = click.get_binary_stream("stdout")
    failures = 0
    for lines in _arriving(click.get_binary_stream("stdin")):
        answers = answer(scorer, lines)
        failures += sum(line.startswith(b'{"error"') for line in answers)
        out.write(b"".join(answers))
        out.flush()
    return 1 if failures else 0


def _labelled(directory: Path, gate: Path | None, output: Path | None) -> int:
    """Print the table of labelled sets or, with an output, the errors by cause; 1 if a set is worse than the gate."""
    from streams.text import errors, evaluate

    if output is not None:
        for line in errors.book(directory, output):
            click.echo(line)
        return 0
    fallen = 0
    for line in evaluate.table(directory, gate=gate):
        click.echo(line)
        fallen += line.startswith(evaluate.WORSE)
    return 1 if fallen else 0


def _scorer() -> Any:
    """The streams.text.scorer.Scorer, with the aspects of the model that RIHLA_MODEL names."""
    from streams.model import company
    from streams.settings import Settings
    from streams.text.scorer import Scorer

    return Scorer(aspects=company.load(Settings.from_env().model).aspects)


def _learn(source: Path) -> int:
    """Print the lexicon lines that corrections speak for."""
    import orjson

    from streams.text.learn import Correction, lines, proposals

    given: list[Correction] = []
    wrong = 0
    for line in source.read_bytes().splitlines():
        try:
            value = orjson.loads(line)
            given.append(Correction(str(value["text"]), float(value["right"]), value.get("locale")))
        except (ValueError, KeyError, TypeError):
            wrong += 1
    for told in lines(proposals(_scorer(), given)):
        click.echo(told)
    click.echo(f"{len(given)} corrections, {wrong} lines that are none", err=True)
    return 1 if wrong else 0


def _explain(texts: tuple[str, ...], locale: str | None) -> None:
    """Show each text with what made its score; in colour where stdout is a terminal."""
    from streams.text.explain import lines

    scorer = _scorer()
    for text in texts:
        for each in click.get_text_stream("stdin").read().splitlines() if text == "-" else [text]:
            for line in lines(scorer, each, locale, colour=click.get_text_stream("stdout").isatty()):
                click.echo(line)


def _score_file(scorer: Any, source: Path) -> int:
    """Score the lines of a file, with a bar of its octets on stderr where that is a terminal."""
    out, err = click.get_binary_stream("stdout"), click.get_text_stream("stderr")
    failures = scored = 0
    with source.open("rb") as stream, click.progressbar(length=source.stat().st_size, file=err, label="scored") as bar:
        while lines := stream.readlines(_BLOCK):
            answers = answer(scorer, [line.rstrip(b"\n") for line in lines])
            failures += sum(line.startswith(b'{"error"') for line in answers)
            scored += len(answers)
            out.write(b"".join(answers))
            bar.update(sum(map(len, lines)))
    out.flush()
    click.echo(f"{scored} lines, {failures} not scored", err=True)
    return 1 if failures else 0


def answer(scorer: Any, lines: list[bytes]) -> list[bytes]:
    """One JSON line, with its line end, for each line given; `scorer` is a streams.text.scorer.Scorer."""
    import orjson

    from streams.settings import Settings
    from streams.text import deep
    from streams.text.intents import read_intents

    questions = [_question(line) for line in lines]
    asked = [question for question in questions if isinstance(question, tuple)]
    scores = iter(scorer.score([text for text, _ in asked], [locale for _, locale in asked]))
    raised = iter(deep.reader(Settings.from_env().deep)([text or "" for text, _ in asked]))
    answers = []
    for question in questions:
        if isinstance(question, str):
            answers.append(orjson.dumps({"error": question}) + b"\n")
            continue
        found, concerns = next(scores), next(raised)
        said = read_intents(question[0] or "", found and found.score, concerns)
        answers.append(
            orjson.dumps(
                {
                    "score": found and found.score,
                    "confidence": found.confidence if found else 0.0,
                    "language": found and found.language,
                    "aspects": [{"aspect": aspect, "score": value} for aspect, value in found.aspects] if found else [],
                    "intents": said.intents,
                    "emotion": said.emotion,
                    "effort": said.effort,
                    "urgent": said.urgent,
                    "concerns": sorted(concerns),
                }
            )
            + b"\n"
        )
    return answers


def _question(line: bytes) -> tuple[str | None, str | None] | str:
    """The text and the locale of a line, or what is wrong with it."""
    import orjson

    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error}"
    if not isinstance(value, dict) or "text" not in value:
        return 'not an object with "text"'
    text, locale = value["text"], value.get("locale")
    if not isinstance(text, str | None) or not isinstance(locale, str | None):
        return '"text" and "locale" must be strings or null'
    return text, locale


def _arriving(stream: IO[bytes]) -> Iterator[list[bytes]]:
    """The lines of a stream, those together that arrive together; an empty line is a line."""
    rest = b""
    while block := stream.read1(_BLOCK):  # type: ignore[attr-defined]
        *lines, rest = (rest + block).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]
