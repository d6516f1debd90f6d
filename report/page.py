"""What our pages have in common: one file each, no network, no dependencies, the same style; and their frame in a notebook.

Nothing of a run is ever markup: texts are escaped, tables are JSON without a `<`, and scripts build what they show from text nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from re import sub

import msgspec

__all__ = ["asset", "document", "framed", "safe"]

_LESS = "\\u003c"


def asset(name: str) -> str:
    """A file of `assets/` without its indentation and the lines that are a script's comments, a fifth of it."""
    return sub(r"(?m)^ *(//.*\n)?", "", files(__package__).joinpath("assets", name).read_text(encoding="utf-8"))


def safe(text: str) -> str:
    """The text for an element or an attribute."""
    return escape(text, quote=True)


def document(title: str, style: str, body: str, data: msgspec.Struct, scripts: Sequence[str]) -> str:
    """A whole page: the common style and `style`, the words of `body`, the table `data`, and then scripts that draw it."""
    table = msgspec.json.encode(data).decode("utf-8").replace("<", _LESS)
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{safe(title)}</title><style>{asset('page.css')}{asset(style)}</style></head><body>",
            body,
            f'<script type="application/json" class="data">{table}</script>',
            f"<script>{''.join(map(asset, scripts))}</script></body></html>\n",
        )
    )


def framed(page: str, height: int) -> str:
    """A page for a notebook cell of `height` pixels: an isolated frame, so that many can live in one notebook."""
    page = page.replace("&", "&amp;").replace('"', "&quot;")
    style = f"width:100%;height:{height}px;border:1px solid #8886;border-radius:6px"
    return f'<iframe sandbox="allow-scripts" style="{style}" srcdoc="{page}"></iframe>'
