"""The picture of the package: its subpackages in layers, of which each imports only lower ones.

``python docs/layers.py`` draws ``docs/notes/layers.svg`` from the layers in ``tests/unit/test_house.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rivalry.schema.register import OPTIONAL

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "notes" / "layers.svg"
GROUPS = {  # title of a group of layers, by its highest subpackage
    "web": "use",
    "lab.array": "studies and runs",
    "economies": "games and methods",
    "population": "computation",
    "core": "foundations",
}
COLOURS = {
    "use": "#fbe3c0",
    "studies and runs": "#d7e8c4",
    "games and methods": "#cfe1f2",
    "computation": "#e3d9ee",
    "foundations": "#e4e4e4",
}
WIDTH, ROW, GAP, MARGIN = 760, 28, 6, 150
FONT = 'font-family="sans-serif"'


def layers() -> list[list[str]]:
    """Names of the subpackages of every layer, the highest layer first."""
    sys.path.insert(0, str(ROOT))
    from tests.unit.test_house import LAYERS

    return [sorted(layer - {"__main__"}) for layer in reversed(LAYERS) if layer != {"__main__"}]


def picture() -> str:
    """SVG of the layers: a row per layer, a box per subpackage, a colour per group of layers."""
    rows = layers()
    height = len(rows) * (ROW + GAP) + 40
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>Subpackages of rivalry in layers; each imports only lower layers</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    group, top = "", 8
    for names in rows:
        start = next((title for name, title in GROUPS.items() if name in names), "")
        if start:
            group = start
            lines.append(f'<text x="8" y="{top + 19}" {FONT} font-size="13" fill="#555">{group}</text>')
        width = (WIDTH - MARGIN - 8 - GAP * (len(names) - 1)) / len(names)
        for place, name in enumerate(names):
            left = MARGIN + place * (width + GAP)
            dashes = ' stroke-dasharray="4 3"' if name.partition(".")[0] in OPTIONAL else ""
            lines += [
                f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW}" rx="4" '
                f'fill="{COLOURS[group]}" stroke="#777"{dashes}/>',
                f'<text x="{left + width / 2:.1f}" y="{top + 19}" text-anchor="middle" {FONT} font-size="13" '
                f'fill="#111">{name}</text>',
            ]
        top += ROW + GAP
    key = "A subpackage imports only lower rows. Dashed: optional, the folder can be removed."
    lines += [f'<text x="{MARGIN}" y="{top + 16}" {FONT} font-size="12" fill="#555">{key}</text>', "</svg>"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
