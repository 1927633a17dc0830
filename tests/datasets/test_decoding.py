"""Every mode that pictures come in, each against what NumPy makes of the same values."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from syntrans_l2l.datasets.decoding import decode

SIZE = 16
RAMP = np.linspace(0, 1, SIZE * SIZE).reshape(SIZE, SIZE)
RGB = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
ALPHA = np.where(RAMP > 0.5, 255, 0).astype(np.uint8)


def decoded(image: Image.Image, suffix: str, **options: Any) -> NDArray[np.uint8]:
    """[H, W, 3] of the picture saved in this form and decoded."""
    buffer = io.BytesIO()
    image.save(buffer, suffix, **options)
    return np.asarray(decode(buffer.getvalue(), SIZE).permute(1, 2, 0))


def grey(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.repeat(values.round().astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("top", "kind", "suffix"),
    [
        (65535, np.uint16, "PNG"),
        (4095, np.uint16, "PNG"),
        (255, np.uint16, "PNG"),
        (65535, np.uint16, "TIFF"),
        (4095, np.uint16, "TIFF"),
        (65535, np.int32, "TIFF"),
        (255, np.int32, "TIFF"),
        (1.0, np.float32, "TIFF"),
        (255.0, np.float32, "TIFF"),
    ],
)
def test_wide_grey_values_are_scaled(top: float, kind: type, suffix: str) -> None:
    values: NDArray[Any] = (RAMP * top).astype(kind)
    shown = decoded(Image.fromarray(values), suffix)
    np.testing.assert_array_equal(shown, grey(values.astype(np.float64) * (255 / top)))


@pytest.mark.parametrize(
    "values",
    [RAMP * 70_000, RAMP * 300.0, RAMP - 0.5, np.full((SIZE, SIZE), np.nan)],
    ids=["beyond 16 bits", "fractions above 255", "negative", "NaN"],
)
def test_values_that_are_no_brightness_are_refused_by_name(
    tmp_path: Path, values: NDArray[np.float64]
) -> None:
    file = tmp_path / "depth.tif"
    whole = values.max() > 1000
    Image.fromarray(values.astype(np.int32 if whole else np.float32)).save(file)
    with pytest.raises(ValueError, match=r"depth\.tif: not an image \(grey values .*8 or 16 bits"):
        decode(file, SIZE)


def test_a_dark_picture_of_declared_12_bits_stays_dark(tmp_path: Path) -> None:
    """A TIFF that packs two values in three bytes; PIL reads such files and writes none."""
    values = (RAMP * 200).astype(np.uint16)  # of 4095: without the tag it would pass for 8 bits
    high, low = values[:, ::2], values[:, 1::2]
    packed = np.stack([high >> 4, (high & 15) << 4 | low >> 8, low & 255], -1).astype(np.uint8)
    tags = {256: SIZE, 257: SIZE, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: SIZE,
            279: packed.size}  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    header = b"II*\0" + struct.pack("<I", 8 + packed.size)
    (tmp_path / "dark.tif").write_bytes(
        header + packed.tobytes() + struct.pack("<H", len(tags)) + entries + bytes(4)
    )
    shown = np.asarray(decode(tmp_path / "dark.tif", SIZE).permute(1, 2, 0))
    np.testing.assert_array_equal(shown, grey(values * (255 / 4095)))


def test_transparent_pixels_are_laid_on_white() -> None:
    seen = np.where(ALPHA[..., None] > 0, RGB, 255)
    rgba = Image.fromarray(np.dstack([RGB, ALPHA]))
    np.testing.assert_array_equal(decoded(rgba, "PNG"), seen)
    la = Image.fromarray(np.dstack([RGB[..., 0], ALPHA]), "LA")
    np.testing.assert_array_equal(decoded(la, "PNG"), grey(seen[..., 0]))


def test_palettes_with_and_without_a_transparent_colour() -> None:
    numbers = (RAMP * 3).astype(np.uint8)
    colours = np.array([[250, 0, 0], [0, 200, 0], [0, 0, 150], [9, 9, 9]], np.uint8)
    image = Image.fromarray(numbers, "P")
    image.putpalette(colours.tobytes())
    np.testing.assert_array_equal(decoded(image, "PNG"), colours[numbers])
    np.testing.assert_array_equal(
        decoded(image, "PNG", transparency=1),
        np.where((numbers == 1)[..., None], 255, colours[numbers]),
    )


def test_one_bit_and_four_inks() -> None:
    bits = RAMP > 0.3
    np.testing.assert_array_equal(decoded(Image.fromarray(bits), "PNG"), grey(bits * 255.0))
    inks = np.dstack([255 - RGB, np.zeros_like(ALPHA)])
    np.testing.assert_array_equal(decoded(Image.fromarray(inks, "CMYK"), "TIFF"), RGB)


@pytest.mark.parametrize("mode", [np.uint8, np.uint16])
def test_pictures_are_turned_as_their_camera_was_held(mode: type) -> None:
    values: NDArray[Any] = (RAMP * np.iinfo(mode).max).astype(mode)
    expected = grey(values * (255 / np.iinfo(mode).max))
    image, exif = Image.fromarray(values), Image.Exif()
    for orientation, turned in ((3, expected[::-1, ::-1]), (6, np.rot90(expected, -1)),
                                (8, np.rot90(expected))):  # fmt: skip
        exif[0x0112] = orientation
        np.testing.assert_array_equal(decoded(image, "PNG", exif=exif), turned)
    np.testing.assert_array_equal(decoded(image, "PNG", exif=b"Exif\0\0broken"), expected)


def test_of_an_animation_the_first_frame_counts() -> None:
    frames = [Image.new("RGB", (SIZE, SIZE), colour) for colour in ("red", "blue")]
    shown = decoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (shown == [255, 0, 0]).all()


def test_the_centre_is_kept_and_bytes_are_named() -> None:
    wide = np.zeros((SIZE, 3 * SIZE, 3), np.uint8)
    wide[:, SIZE : 2 * SIZE] = RGB
    np.testing.assert_array_equal(decoded(Image.fromarray(wide), "PNG"), RGB)
    with pytest.raises(ValueError, match="image 7: not an image"):
        decode(b"GIF89a", SIZE, where="image 7")


def test_what_decode_gives_is_writable_and_8_bit() -> None:
    pixels = decode(_png(RGB), SIZE)
    assert pixels.dtype == torch.uint8 and pixels.shape == (3, SIZE, SIZE)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
