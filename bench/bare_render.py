"""The floor for `flowrexctl render`: Python, click and jinja2, and the same files rendered.

Its arguments are a JSON file of the settings, the project's folder, and the jobs' names. It checks
nothing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import jinja2


class _Text(str):
    __slots__ = ()

    def __html__(self) -> str:
        return self


def _bare(value: object) -> _Text:
    return value if isinstance(value, _Text) else _Text(json.dumps(value))


def main() -> None:
    settings = json.loads(
        Path(sys.argv[1]).read_text(), object_hook=lambda pairs: SimpleNamespace(**pairs)
    )
    root = Path(sys.argv[2])
    engine = jinja2.Environment(
        loader=jinja2.FileSystemLoader(root / "jobs"),
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=_bare,
    )
    engine.filters.update(heredoc=lambda text, label="E": _Text(text), identifier=_Text)
    engine.filters["runtime"] = _bare
    engine.globals["embedded"] = lambda name: (root / "consul-templates" / name).read_text()
    context = vars(settings)
    for section in context.values():
        # What templates look into by name is a mapping there.
        for name in ("env", "node_classes"):
            if isinstance(found := getattr(section, name, None), SimpleNamespace):
                setattr(section, name, vars(found))
    context["release"].image = lambda name, version=None: (
        f"{name}:{version or settings.release.version}"
    )
    for name in sys.argv[3:]:
        click.echo(engine.get_template(f"{name}.nomad.hcl.j2").render(context))


main()
