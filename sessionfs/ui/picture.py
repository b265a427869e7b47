"""Pictures, as half blocks: each character is two pixels, one above the other. Decoded by Pillow, if it is installed.

Not by the terminal's own protocols (kitty's, sixel): to find out whether it has one, a program has to ask it and read
the answer from the keyboard before anything else, and keys that somebody pressed early are lost; and multiplexers pass
none of it on.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_BYTES = 32 << 20
_MAX_PIXELS = 50_000_000
# A screen is not larger; what is kept is made smaller than this.
_KEPT_PIXELS = (800, 800)
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "ICO", "PPM")

Colour = tuple[int, int, int]


class Picture:
    """A picture that can be drawn at any size."""

    def __init__(self, image: Image, about: str) -> None:
        self._image = image
        self.about = about

    def fit(self, columns: int, lines: int) -> tuple[int, int]:
        """Return how many characters wide and high it is drawn in a place of that size; never larger than it is."""
        width, height = self._image.size
        scale = min(1.0, columns / width, 2 * lines / height)
        return max(1, round(width * scale)), max(1, -(-round(height * scale) // 2))

    def draw(self, columns: int, lines: int, background: Colour) -> list[list[tuple[Colour, Colour]]]:
        """Return lines of characters, each the colours of its upper and lower half.

        Args:
            background: What is seen through it.
        """
        from PIL import Image

        scaled = self._image.resize((columns, 2 * lines), Image.Resampling.LANCZOS)
        below = Image.new("RGBA", scaled.size, (*background, 255))
        below.alpha_composite(scaled)
        pixels = below.convert("RGB").tobytes()
        rows = [
            [(pixels[at], pixels[at + 1], pixels[at + 2]) for at in range(start, start + 3 * columns, 3)]
            for start in range(0, len(pixels), 3 * columns)
        ]
        return [list(zip(rows[2 * line], rows[2 * line + 1], strict=True)) for line in range(lines)]


def read_picture(data: bytes) -> Picture | str:
    """Return the picture that *data* is, or in words why it cannot be shown."""
    try:
        from PIL import Image, ImageOps
    except ModuleNotFoundError:
        return "pictures are shown when pillow is installed: pip install 'sessionfs[ui]'"
    # Checked below, before anything is decoded; otherwise Pillow warns, on standard error.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
            about = f"{image.format} {width} x {height}"
            if width * height > _MAX_PIXELS:
                return f"{about}: too large to be shown"
            image.draft("RGB", _KEPT_PIXELS)  # a JPEG is decoded at a fraction of its size
            image.thumbnail(_KEPT_PIXELS)
            turned = ImageOps.exif_transpose(image)
            return Picture(turned.convert("RGBA"), about)
    except Exception as failure:  # its decoders raise whatever they meet in damaged files: SyntaxError, struct.error, …
        return f"not a picture that can be shown ({type(failure).__name__})"
