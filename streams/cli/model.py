"""`rihla model`: the company's model, a folder of files."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def model() -> None:
    """What the company's events mean: touchpoints, stages, identifiers, preferences, alerts (docs/model.md).

    \b
      rihla model init ./model
      rihla model check ./model
      RIHLA_MODEL=./model rihla up
    """


@model.command(epilog="Exit status: 0; 1 if FOLDER holds a file that this would write; 2 for wrong usage.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path) -> None:
    """Write Rihla's own model into FOLDER, to be changed: a file for each part, with JSON Schemas for editors.

    A file that is taken away again, or never was there, is Rihla's own.
    """
    import shutil

    from streams.errors import RihlaError
    from streams.model import company, forms

    targets = {folder / name: source for name, source in company.FILES.items()}
    targets |= {folder / "schemas" / name: forms.SCHEMAS / name for name in forms.schemas()}
    if there := next((path for path in targets if path.exists()), None):
        raise RihlaError(f"{there} is there already", "name another folder, or take that file away")
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    for path, source in targets.items():
        if path.name == "scales.toml":
            path.write_text(
                '#:schema schemas/scales.schema.json\n# [[scale]]\n# name = "smileys"\n'
                '# instrument = "csat"\n# low = 1\n# high = 3\nscale = []\n',
                "utf-8",
            )
        elif path.name == "aspects.csv":  # what is there is added to Rihla's
            path.write_text("name,parent,language,words,doc\n", "utf-8")
        elif source is None:
            path.write_text(f'#:schema schemas/model.schema.json\nname = "{folder.resolve().name[:100]}"\n', "utf-8")
        elif path.name == "touchpoints.csv":  # the head alone: what is there is added to the catalogue
            path.write_text(source.read_text("utf-8").splitlines()[0] + "\n", "utf-8")
        else:
            shutil.copyfile(source, path)
    click.echo(f"{folder} is a model; its files say what they are for, and docs/model.md more")
    click.echo(f"rihla model check {folder}")


@model.command(epilog="Exit status: 0; 1 if the model cannot be used; 2 for wrong usage.")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
def check(folder: Path | None) -> None:
    """Read the model in FOLDER (Rihla's own without one), and say what it means, or file, line and what is wrong."""
    from streams.alerts.rules import of
    from streams.model import company
    from streams.segments import rules as segments

    own = company.built_in()
    found = own if folder is None else company.load(str(folder))
    rules = of(found)
    known = segments.of(found).by_name
    new = found.touchpoints.keys() - own.touchpoints.keys()
    changed = [name for name, one in found.touchpoints.items() if name not in new and one != own.touchpoints[name]]
    ending = [name for name, stage in found.stages.items() if stage.lasts is not None]
    kinds = ", ".join(f"{kind}{' (by brand)' if kind in found.kinds.scoped else ''}" for kind in found.kinds.names)
    lines = {
        "model": f"{found.name}, {found.source}",
        "hash": found.hash,
        "touchpoints": f"{len(found.touchpoints)}: {len(new)} new, {len(changed)} changed",
        "stages": f"{', '.join(ending)} end by themselves" if ending else "none ends by itself",
        "identifiers": kinds,
        "brands": ", ".join(found.brands.units) or "none",
        "preferences": f"{len(found.preferences)} rules",
        "aspects": ", ".join(dict.fromkeys(one.name for one in found.aspects)) or "Rihla's alone",
        "scales": ", ".join(found.scales) or "none of its own",
        "alerts": f"{len(rules)} rules of {found.rules_source}",
        "segments": ", ".join(known) or "none",
        "register": f"{len(found.register)} actions" if found.register else "no actions",
        "targets": f"{len(found.targets)}" if found.targets else "none",
    }
    for name, text in lines.items():
        click.echo(f"{name:<13}{text}")
