"""Labels of PDS3: what they say is taken exactly, what is not read here is refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.grid import Grid
from lunarsite.source.published.pds3 import LabelError, parse_label
from tests.layouts.rasters import label_text

GRID = Grid(-1_824_000.0, 1_824_000.0, 240.0, 15_200, 15_200)


def label(**changes: str) -> bytes:
    return label_text("LDEM_60S_240M.IMG", GRID, **changes).encode("ascii")


def test_lola_s_label_is_taken_as_it_stands() -> None:
    found = parse_label(label())
    assert (found.pointer, found.skip_bytes, found.record_bytes) == ("LDEM_60S_240M.IMG", 0, 30_400)
    assert (found.lines, found.samples, found.dtype, found.order) == (15_200, 15_200, "int16", "LSB")
    assert (found.scale, found.offset, found.nodata) == (0.5, 1_737_400.0, None)
    assert found.to_metres() == (0.5, 0.0)
    assert (found.projection, found.south) == ("polar", True)


def test_the_pole_lies_between_the_pixels_about_it() -> None:
    # The published LINE_PROJECTION_OFFSET of a map of 15 200 lines: 7599 whole pixels and a half before the pole.
    found = parse_label(label(LINE_PROJECTION_OFFSET="7599.5 <pix>", SAMPLE_PROJECTION_OFFSET="7599.5 <pix>"))
    assert found.affine == GRID.affine
    col, row = ~found.affine @ (0.0, 0.0)
    assert (col, row) == (7_600.0, 7_600.0)


def test_a_pole_on_a_pixel_s_centre_and_off_the_middle() -> None:
    text = label(LINE_PROJECTION_OFFSET="100", SAMPLE_PROJECTION_OFFSET="-3.5")
    assert parse_label(text).affine == Affine(240.0, 0.0, 3 * 240.0, 0.0, -240.0, 100.5 * 240.0)


def test_the_north_pole_s_map_is_the_north_s() -> None:
    found = parse_label(label(CENTER_LATITUDE="90 <deg>"))
    assert not found.south
    assert found.affine == GRID.affine


def test_cylindrical_maps_begin_at_their_first_pixel_s_edge() -> None:
    # LDEM_16: 2880 x 5760 pixels, 16 to the degree, longitudes 0..360 about 180.
    found = parse_label(
        label(
            MAP_PROJECTION_TYPE='"SIMPLE CYLINDRICAL"',
            LINES="2880",
            LINE_SAMPLES="5760",
            MAP_RESOLUTION="16 <pix/deg>",
            CENTER_LATITUDE="0 <deg>",
            CENTER_LONGITUDE="180 <deg>",
            LINE_PROJECTION_OFFSET="1439.5 <pix>",
            SAMPLE_PROJECTION_OFFSET="2879.5 <pix>",
        )
    )
    assert found.projection == "cylindrical"
    assert found.affine == Affine(1 / 16, 0.0, 0.0, 0.0, -1 / 16, 90.0)


@pytest.mark.parametrize(
    ("unit", "scale", "offset", "metres"),
    [
        ("METER", "0.5", "1737400.", (0.5, 0.0)),
        ("KILOMETER", "1.0", "1737.4", (1_000.0, 0.0)),
        ("METER", "0.25", "1738000", (0.25, 600.0)),
        ("METER", "0.5", "0", (0.5, 0.0)),
        ("METER", "0.5", "-50", (0.5, -50.0)),
    ],
)
def test_heights_stand_on_the_sphere_of_1737_4_km(unit: str, scale: str, offset: str, metres: tuple) -> None:
    found = parse_label(label(UNIT=unit, SCALING_FACTOR=scale, OFFSET=offset))
    assert found.to_metres() == pytest.approx(metres)


def test_numbers_without_a_unit_of_length_are_no_heights() -> None:
    with pytest.raises(LabelError, match="no unit of length"):
        parse_label(label(UNIT='"DEGREE"')).to_metres()


@pytest.mark.parametrize(
    ("kind", "bits", "dtype", "order"),
    [
        ("LSB_INTEGER", 16, "int16", "LSB"),
        ("MSB_INTEGER", 32, "int32", "MSB"),
        ("LSB_UNSIGNED_INTEGER", 8, "uint8", "LSB"),
        ("PC_REAL", 32, "float32", "LSB"),
        ("IEEE_REAL", 64, "float64", "MSB"),
    ],
)
def test_types_of_numbers(kind: str, bits: int, dtype: str, order: str) -> None:
    found = parse_label(label(SAMPLE_TYPE=kind, SAMPLE_BITS=str(bits)))
    assert (found.dtype, found.order) == (dtype, order)
    assert found.image_bytes == 15_200 * 15_200 * np.dtype(dtype).itemsize


def test_missing_data_are_a_number_or_the_bits_of_one() -> None:
    assert parse_label(label(OFFSET="1737400.\n  MISSING_CONSTANT = -32768")).nodata == -32_768.0
    text = label(SAMPLE_TYPE="PC_REAL", SAMPLE_BITS="32\n  MISSING_CONSTANT = 16#FF7FFFFB#")
    assert parse_label(text).nodata == struct.unpack(">f", bytes.fromhex("FF7FFFFB"))[0] < -3e38
    with pytest.raises(LabelError, match="which 16 bits do not hold"):
        parse_label(label(OFFSET="1737400.\n  MISSING_CONSTANT = -99999"))
    with pytest.raises(LabelError, match="2 numbers of missing data"):
        parse_label(label(OFFSET="0\n  MISSING_CONSTANT = -32768\n  INVALID_CONSTANT = -32767"))


@pytest.mark.parametrize(
    ("pointer", "skip_bytes"),
    [('("A.IMG", 3)', 2 * 30_400), ('("A.IMG", 3 <BYTES>)', 2), ('"A.IMG"', 0), ("A_IMG", 0)],
)
def test_pixels_begin_at_a_record_or_a_byte(pointer: str, skip_bytes: int) -> None:
    assert parse_label(label(**{"^IMAGE": pointer})).skip_bytes == skip_bytes


def test_a_label_of_a_compressed_image_points_to_the_file_that_is_there() -> None:
    text = label_text("LDEM_60S_240M.JP2", GRID, packed=True)
    found = parse_label(text.encode("ascii"))
    assert found.pointer == "LDEM_60S_240M.JP2"
    assert (found.lines, found.affine) == (15_200, GRID.affine)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"LINES": "0"}, "LINES is 0"),
        ({"LINES": "-4"}, "LINES is -4"),
        ({"LINES": "1.5"}, "LINES is 1.5"),
        ({"LINES": "10000000000"}, "LINES is 1e"),
        ({"LINES": "2000000", "LINE_SAMPLES": "2000000"}, "more pixels than any map"),
        ({"LINES": '"many"'}, "LINES is 'many'"),
        ({"SAMPLE_TYPE": "VAX_REAL"}, "SAMPLE_TYPE is VAX_REAL"),
        ({"SAMPLE_BITS": "12"}, "SAMPLE_BITS is 12"),
        ({"SAMPLE_BITS": "16\n  BANDS = 3"}, "BANDS is 3"),
        ({"SAMPLE_BITS": "16\n  LINE_PREFIX_BYTES = 8"}, "LINE_PREFIX_BYTES is 8"),
        ({"SCALING_FACTOR": "1e999"}, "SCALING_FACTOR is 'inf'"),
        ({"OFFSET": "(1, 2)"}, "OFFSET is '[1, 2]', needed is a number"),
        ({"MAP_PROJECTION_TYPE": '"SINUSOIDAL"'}, "SINUSOIDAL"),
        ({"A_AXIS_RADIUS": "3396.19 <km>"}, "A_AXIS_RADIUS is 3.39619e"),
        ({"C_AXIS_RADIUS": "1736.0 <km>"}, "C_AXIS_RADIUS"),
        ({"COORDINATE_SYSTEM_NAME": '"PRINCIPAL AXIS OF DE421"'}, "needed is MEAN EARTH"),
        ({"POSITIVE_LONGITUDE_DIRECTION": '"WEST"'}, "is not EAST"),
        ({"MAP_PROJECTION_ROTATION": "90"}, "ROTATION is not 0"),
        ({"CENTER_LATITUDE": "-89"}, "are -89, 0"),
        ({"CENTER_LONGITUDE": "180"}, "are -90, 180"),
        ({"MAP_SCALE": "0.24"}, "MAP_SCALE is in ''"),
        ({"MAP_SCALE": "0 <m/pix>"}, "positive number"),
        ({"MAP_SCALE": "120 <m/pix>"}, "MAP_RESOLUTION says 239.9"),
        ({"LINE_PROJECTION_OFFSET": "'N/A'"}, "LINE_PROJECTION_OFFSET is 'N/A'"),
        ({"^IMAGE": "17"}, "needed is the name of a file"),
        ({"^IMAGE": '("A.IMG", 0)'}, "no record and no byte"),
        ({"^IMAGE": '("A.IMG", 5 <KB>)'}, "no record and no byte"),
        ({"RECORD_BYTES": "'N/A'", "^IMAGE": '("A.IMG", 5)'}, "RECORD_BYTES is missing"),
    ],
)
def test_what_is_not_read_here_is_refused_by_its_keyword(changes: dict[str, str], word: str) -> None:
    import re

    with pytest.raises(LabelError, match=re.escape(word)):
        parse_label(label(**changes))


@pytest.mark.parametrize("name", ["IMAGE_MAP_PROJECTION", "IMAGE"])
def test_an_object_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(LabelError, match=f"OBJECT {name} is missing"):
        parse_label(label().replace(f"= {name}\r\n".encode(), b"= OTHER\r\n"))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<html>404</html>",
        b'PDS_VERSION_ID = "PDS3"',
        b"PDS_VERSION_ID = " + b"(" * 60_000,
        b"PDS_VERSION_ID = A\nOBJECT = X\n" * 1_000,
        b"PDS_VERSION_ID = PDS3\n" + b"A" * 200_000,
        b"PDS_VERSION_ID = PDS3\nA = 99999-99-99T99:99:99\nEND",
        b"PDS_VERSION_ID = PDS3\x00\nEND",
        b"PDS_VERSION_ID = 36#ZZZZ#\nIMAGE = 3\n^IMAGE = X\nEND",
    ],
)
def test_what_is_no_label_is_refused(text: bytes) -> None:
    with pytest.raises(LabelError):
        parse_label(text)


@pytest.mark.parametrize("last", range(40, 3_300, 163))
def test_a_label_that_ends_anywhere_is_refused(last: int) -> None:
    with pytest.raises(LabelError):
        parse_label(label()[:last])
    with pytest.raises(LabelError):
        parse_label(label()[:last] + b"\r\nEND\r\n")


@given(st.data())
def test_broken_labels_raise_nothing_else(data: st.DataObject) -> None:
    text = bytearray(label())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(text) - 1))
        length = data.draw(st.integers(0, 40))
        text[place : place + length] = data.draw(
            st.binary(max_size=40) | st.sampled_from([b"(", b"<", b'"', b"END", b"#"])
        )
    try:
        found = parse_label(bytes(text))
    except LabelError:
        return
    assert found.lines * found.samples <= 4e10
