"""Draws the agent's two icons, of a PC that is linked and of one that isn't: python3 icon.py"""

import math
import pathlib
import struct

COLOURS = {"linked": (38, 152, 74), "unlinked": (132, 138, 147)}
SIZES = 16, 32

# On a field of 16 by 16: a house, and in it what is said.
HOUSE = [(8, 0.4), (15.8, 7.6), (13.8, 7.6), (13.8, 15.4), (2.2, 15.4), (2.2, 7.6), (0.2, 7.6)]
TAIL = [(5.4, 10.4), (8.4, 11.2), (5.2, 14.2)]
MIDDLE, ACROSS, HIGH = (8, 8.9), 4.1, 2.9


def within(corners, x, y):
    """Whether a point lies in a polygon."""
    inside = False
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1]):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside


def pixel(size, column, row, colour, fine=8):
    """Returns blue, green, red and opacity, out of so many points by so many."""
    house = said = 0
    for step in range(fine * fine):
        x = (column + (step % fine + 0.5) / fine) * 16 / size
        y = (row + (step // fine + 0.5) / fine) * 16 / size
        if within(HOUSE, x, y):
            house += 1
            said += math.hypot((x - MIDDLE[0]) / ACROSS, (y - MIDDLE[1]) / HIGH) < 1 or within(TAIL, x, y)
    white = said / house if house else 0
    mixed = [round(part + (255 - part) * white) for part in colour]
    return bytes([*reversed(mixed), round(255 * house / fine ** 2)])


def image(size, colour):
    head = struct.pack("<IiiHHIIiiII", 40, size, size * 2, 1, 32, 0, 0, 0, 0, 0, 0)
    rows = [b"".join(pixel(size, column, row, colour) for column in range(size)) for row in reversed(range(size))]
    mask = bytes((size + 31) // 32 * 4 * size)
    return head + b"".join(rows) + mask


for name, colour in COLOURS.items():
    images = [image(size, colour) for size in SIZES]
    file, at = struct.pack("<HHH", 0, 1, len(SIZES)), 6 + 16 * len(SIZES)
    for size, data in zip(SIZES, images):
        file += struct.pack("<BBBBHHII", size, size, 0, 0, 1, 32, len(data), at)
        at += len(data)
    pathlib.Path(__file__).with_name(f"{name}.ico").write_bytes(file + b"".join(images))
