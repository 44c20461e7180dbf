"""What the archives' pages say, in both sites' layouts, and that nothing but a PageError comes of any bytes."""

from __future__ import annotations

import html
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunarsite.source.archive.markup import MOST_PAGE_BYTES, PageError
from lunarsite.source.archive.pages import ItemPage, is_id, read_item, read_search
from tests.layouts import pages
from tests.layouts.pages import SkyImage

SITES = ("hubble", "webb")


def item(**changes: object) -> ItemPage:
    values = {"site": "hubble", "id": "heic0506a", "title": "T", "ra": (1, 2, 3.0), "dec": ("+", 4, 5, 6.0), **changes}
    return read_item(pages.item_page(SkyImage(**values)), "https://x/")  # type: ignore[arg-type]


def with_field(label: str, value: str, site: str = "hubble") -> bytes:
    """A page of an item on which one label's value is another text."""
    image = next(image for image in pages.images_of(site) if image.picture == "sky")
    written = pages._fields(image)[label]
    page = pages.item_page(image).decode()
    assert written in page
    return page.replace(written, value).encode()


@pytest.mark.parametrize("image", pages.IMAGES, ids=lambda image: image.id)
def test_item(image: SkyImage) -> None:
    found = read_item(pages.item_page(image), "https://x/")
    assert found.title == html.unescape(image.title)
    assert found.ra_deg == pytest.approx(image.ra_deg, abs=1e-9)
    assert found.dec_deg == pytest.approx(image.dec_deg, abs=1e-9)
    assert found.size_px == image.size_px
    assert found.field_arcmin == (None if "Field of view" in image.lacks else pytest.approx(image.field_arcmin))
    assert found.orientation_deg == (None if "Orientation" in image.lacks else pytest.approx(image.angle_deg))
    assert (found.credit is None) == ("Credit" in image.lacks)
    assert set(image.kind.replace("\n", " : ").split(" : ")) <= set(found.kinds)
    assert found.left_out_kind == {"heic0003a": "Early Universe", "weic2301a": "Solar System"}.get(image.id)


def test_credit_keeps_every_name_on_one_line() -> None:
    image = pages.images_of("hubble")[1]
    assert "\u00a0" in image.credit
    assert read_item(pages.item_page(image), "x").credit == "NASA, ESA and A. Nobody Acknowledgement: B. Else"


def test_date_is_the_part_before_the_comma() -> None:
    assert item(released="7 December 2011, 18:00").released == "2011-12-07"
    with pytest.raises(PageError, match=r"https://x/: 'Release date:' is '7\. 12\. 2011'"):
        item(released="7. 12. 2011")


@pytest.mark.parametrize(
    ("dec", "expected"),
    [(("-", 0, 0, 36.0), -0.01), (("+", 0, 0, 36.0), 0.01), (("-", 0, 0, 0.0), 0.0), (("-", 89, 59, 59.9), -89.999972)],
)
def test_sign_of_a_declination_near_zero(dec: tuple[str, int, int, float], expected: float) -> None:
    assert item(dec=dec).dec_deg == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("sign", ["-", "−"])
@pytest.mark.parametrize("site", SITES)
def test_other_minus_signs_and_units(sign: str, site: str) -> None:
    body = with_field("Position (Dec)", f"{sign}12° 30′ 0.0″", site)
    assert read_item(body, "x").dec_deg == -12.5


def test_orientation_right_is_negative() -> None:
    assert item(orientation=(3.5, "right")).orientation_deg == -3.5
    assert item(orientation=(3.5, "left")).orientation_deg == 3.5
    assert str(item(orientation=(0.0, "right")).orientation_deg) == "0.0"


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("Orientation", "North is 3.5° up of vertical"),
        ("Orientation", "North is 400° left of vertical"),
        ("Orientation", "North is left of vertical"),
        ("Position (RA)", "24 0 0.1"),
        ("Position (RA)", "1 60 0"),
        ("Position (RA)", "-1 2 3"),
        ("Position (RA)", "1 2"),
        ("Position (Dec)", "90° 0' 0.1\""),
        ("Position (Dec)", "1° 2' 60\""),
        ("Position (Dec)", "12.5"),
        ("Field of view", "4.0 x 0.0 arcminutes"),
        ("Field of view", "4.0 arcminutes"),
        ("Field of view", "4.0 x 3.0 degrees"),
        ("Size", "640 x px"),
        ("Size", "640 x 0 px"),
        ("Size", "99999999 x 10 px"),
        ("Release date", "32 May 2005, 06:00"),
        ("Release date", "1 Mai 2005, 06:00"),
    ],
)
def test_values_of_another_form_are_errors_that_name_the_label(site: str, label: str, value: str) -> None:
    with pytest.raises(PageError) as caught:
        read_item(with_field(label, value, site), "https://x/images/a/")
    assert str(caught.value).startswith(f"https://x/images/a/: '{label}:' is {value!r}, needed is ")


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("label", ["Orientation", "Field of view", "Position (RA)", "Size", "Release date"])
def test_a_label_without_a_value_does_not_take_the_next_ones(site: str, label: str) -> None:
    found = read_item(with_field(label, "", site), "x")
    whole = read_item(pages.item_page(next(i for i in pages.images_of(site) if i.picture == "sky")), "x")
    names = {
        "Orientation": "orientation_deg",
        "Field of view": "field_arcmin",
        "Position (RA)": "ra_deg",
        "Size": "size_px",
        "Release date": "released",
    }
    for name in ItemPage.__dataclass_fields__:
        assert getattr(found, name) == (None if name == names[label] else getattr(whole, name))


def test_words_like_labels_in_other_places_do_not_count() -> None:
    body = b"<body><script>Orientation:</script><p>The Size: 1 x 2 px</p><style>Name:</style><p>North</p></body>"
    assert read_item(body, "x") == ItemPage(None, None, None, (), None, None, None, None, None, None)


def test_label_in_its_own_wrapping_and_after_a_line_break() -> None:
    body = "<td><b>\n Size:\n</b><br/><i></i><span>10 × 20 px</span></td><p>x<br/>Name: <em>NGC 7</em></p>".encode()
    found = read_item(body, "x")
    assert (found.size_px, found.name) == ((10, 20), "NGC 7")


def test_search_pages_list_every_image() -> None:
    for site in SITES:
        images = pages.images_of(site)
        first = read_search(pages.search_page(site, 1, images), "x")
        assert first.results == len(images)
        assert first.pages == -(-len(images) // pages.PER_PAGE)
        ids = []
        for page in range(1, first.pages + 1):
            found = read_search(pages.search_page(site, page, images), "x").entries
            ids += [entry.id for entry in found]
            for entry in found:
                image = next(image for image in images if image.id == entry.id)
                assert entry.title == html.unescape(image.title)
                assert (entry.width_px, entry.height_px) == image.size_px
        assert sorted(set(ids)) == sorted(image.id for image in images)
        assert len(ids) == len(images) + (first.pages > 1), "the first image stands on two pages"


def search(array: str, pagination: str = "") -> bytes:
    return f"<div id=content><script>var images = {array};</script>{pagination}</div>".encode()


def test_search_array_of_other_looks() -> None:
    found = read_search(
        search("""[ {"id" : "a1", title:'x, {y} [z] \\'q\\' &amp;', width: 3, height: 4.5, }, {id:"b",}, ]"""), "x"
    )
    assert [(e.id, e.title, e.width_px, e.height_px) for e in found.entries] == [
        ("a1", "x, {y} [z] 'q' &", 3, None),
        ("b", "", None, None),
    ]
    assert (found.pages, found.results) == (1, None)
    assert read_search(search("[]"), "x").entries == ()


def test_an_apostrophe_within_a_word_may_stand_unescaped() -> None:
    found = read_search(search("""[{id:'a',title:'O'Neill's 2'3 "x" l'é',width:3},{id:'b',title:'d'}]"""), "x").entries
    assert [(e.id, e.title, e.width_px) for e in found] == [("a", "O'Neill's 2'3 \"x\" l'é", 3), ("b", "d", None)]


@pytest.mark.parametrize("title", ["dogs' tails", "dogs', cats'", "the 'Eye'", "'tis", "'"])
def test_a_quote_that_may_end_a_string_is_never_guessed_at(title: str) -> None:
    with pytest.raises(PageError, match="the list of images cannot be read"):
        read_search(search(f"[{{id: 'a', title: '{title}', width: 3}}, {{id: 'b', title: 'c'}}]"), "x")


def test_last_page_is_the_largest_number() -> None:
    listed = "<ul class='a pagination'><li>1</li><li>2</li><li>...</li><li>23</li><li>Next</li></ul>"
    assert read_search(search("[]", listed), "x").pages == 23
    with pytest.raises(PageError, match="tells of 99999 pages"):
        read_search(search("[]", "<ul class=pagination>99999</ul>"), "x")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<p>moved</p>", "has no script with the list"),
        (search("nothing"), "holds no array of objects"),
        (search("[{id: 'a'"), r"'}' is expected before"),
        (search("[{id: 'a}]"), r"a key or a value is expected before"),
        (search("[{id: 'a' title: 'b'}]"), r"'}' is expected before \"?'? ?title"),
        (search("[{id: load('a')}]"), r"'}' is expected before"),
        (search("[{title: 'b'}]"), r"has no id, only \['title'\]"),
        (search("[{id: 5}]"), "has no id"),
        (search("[" + "{id:'a'}," * 10_001 + "]"), "more than 10000 images"),
        (b"", "no readable HTML"),
        (b"\0", "NUL"),
        (b"<p>\xff</p>", "no UTF-8"),
        (b" " * (MOST_PAGE_BYTES + 1), "bytes"),
        (b"<a>" * 600_000, "elements|readable"),
    ],
    ids=range(14),
)
def test_pages_of_another_form_are_errors_that_name_the_page(body: bytes, message: str) -> None:
    with pytest.raises(PageError, match=message) as caught:
        read_search(body, "https://x/search/")
    assert str(caught.value).startswith("https://x/search/: ")


@pytest.mark.parametrize("good", ["heic0506a", "opo9999aa", "Heic_12-b", "0", "a" * 64])
def test_ids(good: str) -> None:
    assert is_id(good)
    for bad in (f"{good}/", f"../{good}", "", ".", "-a", f"{good} ", f"{good}\n", "ä", good + "b" * 64):
        assert not is_id(bad), bad


def test_entities_are_no_way_to_other_files_or_much_memory() -> None:
    bomb = '<!DOCTYPE html [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
    found = read_item(f"{bomb}<h1>&b;&f;</h1><td>Name:</td><td>&f;</td>".encode(), "x")
    assert "root" not in f"{found}"
    assert "aaaaaaaaaaaa" not in f"{found}"


@pytest.mark.parametrize(
    "body",
    [
        b"<div>" * 100_000,
        b"<td>Name:" * 100_000,
        b"<td>Name:</td>" * 200_000,
        b"<td>Type:</td><td>" + b"x : " * 500_000,
        search("[" + "[" * 500_000),
        search("[{" + "a:1," * 500_000 + "}]"),
        search("[{id:'" + "\\'" * 500_000),
        search("[{" + "'" * 500_000),
    ],
    ids=range(8),
)
def test_hostile_pages_end_soon(body: bytes) -> None:
    start = time.process_time()
    for reader in (read_item, read_search):
        try:
            reader(body, "x")
        except PageError:
            continue
    assert time.process_time() - start < 10.0


FRAGMENTS = st.sampled_from(
    [b"<td>", b"</td>", b"Size:", b"Credit:", b"10 x 20 px", b"<script>", b"</script>", b"<div id=content>", b"&#0;",
     b"[{id:'a'", b"}]", b"North is 1\xc2\xb0 left of vertical", b"Orientation:", b"<!--", b"<ul class=pagination>",
     b"7", b"\xc2\xa0", b"<br>"]
)  # fmt: skip


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=200), st.lists(FRAGMENTS, max_size=25).map(b"".join)))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for reader in (read_item, read_search):
        try:
            reader(body, "x")
        except PageError:
            continue


@settings(max_examples=100)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=60))
def test_any_title_comes_back(title: str) -> None:
    written = html.escape(title).replace("\\", "\\\\").replace("/", "\\/")
    (found,) = read_search(search(f"[{{id: 'a', title: '{written}'}}]"), "x").entries
    assert found.title == " ".join(title.split())
