"""Page images on the terminal itself, where it can show them."""

from __future__ import annotations

import sys
from io import BytesIO

from cli.terminal import out


def show_image(png: bytes) -> bool:
    """As large as the window; False, and nothing shown, where the terminal has no images.

    Which protocol it speaks (Kitty's or Sixel) is asked of the terminal. A page of characters in
    place of pixels could not be read, so that fallback of the library is not taken.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    # The question to the terminal goes out with this import.
    from textual_image.renderable import Image, SixelImage, TGPImage

    if not issubclass(Image, (SixelImage, TGPImage)):
        return False
    console = out()
    # A Sixel image as tall as the window would scroll its own top away.
    room = max(console.height - 2, 1)
    console.print(Image(BytesIO(png), width="auto", height="auto"), height=room)
    return True
