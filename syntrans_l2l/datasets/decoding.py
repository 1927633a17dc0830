"""From an encoded picture to 8-bit RGB pixels of one size."""

import io
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

_BITS = (8, 12, 16)  # what grey values wider than a byte come in
_TIFF_BITS = 258  # the tag BitsPerSample


def decode(source: bytes | Path, size: int, *, where: str = "") -> Tensor:
    """An encoded image as [3, size, size] uint8: shorter side resized, centre cropped.

    It is turned as its EXIF data say. Of an animation the first frame is taken. Transparent
    pixels are laid on white. Grey values wider than a byte are scaled to 0 to 255: see `_grey`.

    Args:
        source: the file, or its bytes.
        size: pixels of a side.
        where: what errors call bytes.

    Raises:
        ValueError: it is no image, or its values have no meaning as brightness.
    """
    name = str(source) if isinstance(source, Path) else where
    try:
        with warnings.catch_warnings():  # PIL warns of large pictures and of damaged EXIF data
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
                image.load()
                pixels = _rgb(_upright(image), _declared_bits(image))
                if pixels.size != (size, size):
                    pixels = ImageOps.fit(pixels, (size, size), Image.Resampling.BICUBIC)
    except Exception as error:  # PIL's readers raise whatever a broken file leads them to
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{name}: not an image ({reason})" if name else reason) from error
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF data say nothing about the pixels
        return image


def _declared_bits(image: Image.Image) -> int:
    """Bits of a grey value where a TIFF says fewer than the 16 that it is read as, else 0."""
    declared = getattr(image, "tag_v2", {}).get(_TIFF_BITS, (0,))
    bits = declared[0] if isinstance(declared, tuple) else declared
    return int(bits) if bits in _BITS[:-1] else 0


def _rgb(image: Image.Image, bits: int) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_grey(np.asarray(image), bits)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return image.convert("RGB")


def _grey(values: NDArray[np.generic], bits: int) -> NDArray[np.uint8]:
    """Grey values of more than 8 bits as 0 to 255.

    A file says that it holds 16 bits, and often a camera or scanner has filled 12 or 8 of
    them. So the range is 0 to 255, 4095 or 65535: the least of these that holds all values of
    the picture, where the file does not say it. Fractions are of 1, or of 255 where they pass 1.

    Args:
        values: [H, W], of integers or fractions.
        bits: that the file declares; 0 where it does not.

    Raises:
        ValueError: negative, not finite, or above 65535; fractions above 255.
    """
    numbers = values.astype(np.float64)
    low, high = float(numbers.min()), float(numbers.max())
    if not np.isfinite(numbers).all() or low < 0:
        raise ValueError(f"grey values from {low:g} to {high:g}; save it with 8 or 16 bits")
    if np.issubdtype(values.dtype, np.floating):
        tops = [1.0, 255.0]
    else:
        tops = [2.0**each - 1 for each in _BITS if each >= bits]
    top = next((each for each in tops if high <= each), None)
    if top is None:
        raise ValueError(f"grey values up to {high:g}; save it with 8 or 16 bits")
    return (numbers * (255 / top)).round().astype(np.uint8)
