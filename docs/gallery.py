"""Draw the pictures of the gallery by the lines on its page, and list its thumbnails.

python docs/gallery.py             # all, in several minutes
python docs/gallery.py paths heat  # these
"""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL import Image

PAGE = Path(__file__).parent / "howto" / "gallery.md"
PICTURES = PAGE.with_suffix("")
LARGEST = 40_000  # bytes of a picture
# width in pixels and colours; the first that fits
SIZES = ((920, 128), (690, 128), (690, 64), (460, 128), (460, 64))


class Example(NamedTuple):
    """What draws a kind of plot: studies whose quick runs it reads, and lines of Python."""

    studies: list[str]
    code: str


def examples() -> dict[str, Example]:
    """Return the examples of the page, by kind."""
    found = {}
    for section in re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.M)[1:]:
        kind = section.split("`")[1]
        (code,) = re.findall(r"^```python\n(.*?)^```", section, re.M | re.S)
        found[kind] = Example(re.findall(r"runs/(\w+)-quick", code), code)
    return found


def purposes() -> dict[str, list[str]]:
    """Return the kinds of the page by what they are for, the heading above their sections."""
    parts = re.split(r"^## (.*)\n", PAGE.read_text(encoding="utf-8"), flags=re.M)[1:]
    return {
        purpose: re.findall(r"^### `(\w+)`", text, re.M)
        for purpose, text in zip(parts[::2], parts[1::2], strict=True)
    }


def grid() -> str:
    """Return the thumbnails of all kinds by purpose, in MyST."""
    parts = []
    for purpose, kinds in purposes().items():
        cells = [
            f":::{{container}} thumbnail\n[![](gallery/{kind}.png)](#{kind})\n\n[{kind}](#{kind})\n:::"
            for kind in kinds
        ]
        parts.append("\n".join([f"**{purpose}**\n", "::::{container} thumbnails", *cells, "::::\n"]))
    return "\n".join(["", *parts])


def complete(text: str) -> str:
    """Return the page with title and picture of every kind below its heading."""
    from rivalry.plots import PLOTS

    def described(heading: re.Match[str]) -> str:
        title = PLOTS[heading[1]].title
        return f"{heading[0]}\n{title[0].upper()}{title[1:]}.\n\n![](gallery/{heading[1]}.png)\n"

    return re.sub(r"^### `(\w+)`\n", described, text, flags=re.M)


def draw(example: Example) -> bytes:
    """Return the picture that an example draws, in the working directory, as a PNG of few colours."""
    from matplotlib import pyplot as plt
    from PIL import Image

    import rivalry as rv
    from rivalry.cli.commands import carry_out

    for study in example.studies:
        if not Path("runs", f"{study}-quick").exists() and carry_out(["run", study, "--quick"]) != 0:
            raise RuntimeError(f"rivalry run {study} --quick: failed")
    exec(example.code, {"rv": rv})
    large = io.BytesIO()
    plt.gcf().savefig(large, format="png", dpi=200, bbox_inches="tight")
    plt.close("all")
    return shrink(Image.open(large))


def shrink(picture: Image.Image) -> bytes:
    """Return a picture as a PNG of at most `LARGEST` bytes."""
    from PIL import Image

    picture = picture.convert("RGB")
    for width, colours in SIZES:
        height, small = round(picture.height * width / picture.width), io.BytesIO()
        resized = picture.resize((width, height), Image.Resampling.LANCZOS)
        resized.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            small, "png", optimize=True
        )
        if small.tell() <= LARGEST:
            return small.getvalue()
    raise ValueError(f"the smallest picture takes {small.tell()} bytes; must be at most {LARGEST}")


def main(kinds: list[str]) -> int:
    """Draw these kinds, or all."""
    known = examples()
    PICTURES.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        for kind in kinds or known:
            picture = draw(known[kind])
            (PICTURES / f"{kind}.png").write_bytes(picture)
            print(f"{kind}: {len(picture)} bytes", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
