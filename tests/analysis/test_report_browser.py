"""Reports in a real browser: nothing fails, overflows or is missing."""

import re
from collections.abc import Iterator

import pytest

from tests.support import browser
from tests.support.reporting import Page


@pytest.fixture(scope="module")
def chromium(tmp_path_factory) -> Iterator[browser.Page]:
    if browser.found() is None:
        pytest.skip("no Chromium here (looked for $CHROME, chromium, google-chrome)")
    with browser.chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


OVERFLOW = "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
PAST_THE_EDGE = """[...document.querySelectorAll('main *')].filter(e =>
    !e.closest('.scroll') && e.getBoundingClientRect().right > innerWidth + 1).length"""
SIZES = [(390, 844), (1280, 900)]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=["phone", "laptop"])
@pytest.mark.parametrize("name", ["energy", "counts", "long"])
def test_nothing_fails_or_overflows(chromium, reports, name, size, dark):
    chromium.open(reports[name].file.as_uri(), *size, dark)
    assert chromium.complaints == []
    assert chromium.value("innerWidth") == size[0]
    assert (
        chromium.value("document.querySelectorAll('details').forEach(d => d.open = true)") is None
    )
    assert chromium.value(OVERFLOW) <= 0
    assert chromium.value(PAST_THE_EDGE) == 0
    widths = chromium.value("[...document.images].map(i => [i.naturalWidth, i.clientWidth])")
    assert len(widths) == len(Page.of(reports[name]).images) >= 2
    assert all(natural > 400 and size[0] * 0.65 < shown <= size[0] for natural, shown in widths)
    ground = chromium.value("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 150) is dark


def test_on_a_phone_tables_and_enlarged_figures_scroll_in_their_boxes(chromium, reports):
    chromium.open(reports["long"].file.as_uri(), *SIZES[0])
    wide = "[...document.querySelectorAll('.scroll')].map(e => e.scrollWidth > e.clientWidth + 1)"
    before = chromium.value(wide)
    assert any(before)
    assert not any(before[:2])  # figures fit
    chromium.value("document.querySelectorAll('.wide input').forEach(box => box.click())")
    assert all(chromium.value(wide)[:2])
    assert chromium.value(OVERFLOW) <= 0


@pytest.mark.parametrize("name", ["counts", "long"])
def test_on_paper_two_pictures_fit_on_a_page(chromium, reports, name):
    """Pages break between them, or what does not fit on one would leave it half empty."""
    page_width, page_height = 740, 980  # of A4 and of Letter, within the margins
    chromium.open(reports[name].file.as_uri(), page_width, page_height)
    chromium.call("Emulation.setEmulatedMedia", media="print")
    try:
        heights = chromium.value("[...document.images].map(i => i.clientHeight)")
        assert len(heights) >= 2
        assert max(heights) <= 0.45 * page_height - 50
        breaks = (
            "[...document.querySelectorAll('figure')].map(f => getComputedStyle(f).breakInside)"
        )
        assert set(chromium.value(breaks)) == {"auto"}
        assert not chromium.value(
            "[...document.querySelectorAll('.numbers, nav')].some(e => e.clientHeight)"
        )
    finally:
        chromium.call("Emulation.setEmulatedMedia", media="")


def test_the_page_of_links(chromium, reports):
    page = reports["long"].file.parent.parent / "index.html"
    chromium.open(page.as_uri(), *SIZES[0])
    assert chromium.complaints == []
    assert chromium.value(OVERFLOW) <= 0


def test_the_browser_notices_what_is_wrong(chromium, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<meta name=viewport content='width=device-width'><img src=missing.png>"
        "<p style='width:2000px'>wide</p><script>console.error('no'); nonesuch()</script>"
    )
    chromium.open(bad.as_uri(), *SIZES[0])
    assert len(chromium.complaints) >= 3
    assert chromium.value(OVERFLOW) > 1000
    assert chromium.value("document.images[0].naturalWidth") == 0
