"""The colours of the pages, by the formula of WCAG 2.2."""

from itertools import product

import pytest

from pypi_registry._pages.document import COLOURS, Frame, Links, render_document


def luminance(colour: str) -> float:
    """WCAG 2.2, "relative luminance"."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, "contrast ratio"."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_formula_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the well-known grey that is too light


TEXTS = [*product(["text", "muted", "link"], ["bg", "surface"]), ("text", "notice"), ("on-button", "button")]


@pytest.mark.parametrize("theme", COLOURS)
@pytest.mark.parametrize(("text", "background"), TEXTS)
def test_text_has_enough_contrast(theme: str, text: str, background: str) -> None:
    assert contrast(COLOURS[theme][text], COLOURS[theme][background]) >= 4.5


@pytest.mark.parametrize("theme", COLOURS)
@pytest.mark.parametrize("background", ["bg", "surface"])
def test_the_focus_and_the_border_of_a_field_can_be_seen(theme: str, background: str) -> None:
    for part in ("link", "muted"):  # WCAG 2.2, 1.4.11: 3:1 for parts of controls
        assert contrast(COLOURS[theme][part], COLOURS[theme][background]) >= 3


def test_a_page_has_no_other_colours() -> None:
    page = render_document("title", Frame(Links(str, None, str)), "").decode()
    style = page.partition("<style>")[2].partition("</style>")[0]
    for theme in COLOURS.values():
        for name, colour in theme.items():
            assert f"--{name}: {colour}" in style
            style = style.replace(f"--{name}: {colour}", "", 1)
    assert "#" not in style and "rgb" not in style
    assert {*COLOURS["light"]} == {*COLOURS["dark"]}
