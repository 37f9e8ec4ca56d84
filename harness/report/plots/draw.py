"""Drawing of Vega-Lite specifications as inline SVG for the policy, the dark mode and screen readers."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import vl_convert
from markupsafe import Markup

from harness.report.escape import scrub

Spec = dict[str, Any]
"""A Vega-Lite specification, or a part of one."""

TEXT = 13
"""Size of all text, in pixels."""

WIDTH = 350
"""Width of a drawing in pixels: that of a phone; a wide page has three beside each other."""

_SVG = "{http://www.w3.org/2000/svg}"
_DROPPED = {"class", "role", "pointer-events", "aria-hidden", "aria-roledescription", "aria-label", "version"}
_DROPPED_FONT = {"font-family"}
_DEFAULTS = {("opacity", "1"), ("stroke-width", "1"), ("transform", "translate(0,0)"), ("fill-opacity", "1")}


def ink(name: str) -> str:
    """A colour of the style sheet, which has a light and a dark mode."""
    return f"var(--{name})"


def draw(spec: Spec, *, label: str, key: str) -> Markup:
    """Draw the specification as one ``<svg>`` element with ``label`` as its text alternative.

    ``key`` is unique in the page and starts the ids inside of the drawing. The result has no style
    attribute, script or external reference; fonts and colours come from the style sheet. The description of
    a mark becomes its title, which browsers show on hover.
    """
    text = vl_convert.vegalite_to_svg(_scrub({**_theme(), **spec}))
    root = ET.fromstring(text)  # noqa: S314 - made by the library just now, from our own specification
    _tidy(root)
    _name_anew(root, key)
    width, height = root.attrib["width"], root.attrib["height"]
    root.attrib.clear()
    root.attrib.update(
        {
            "class": "plot",
            "viewBox": f"0 0 {width} {height}",
            "width": width,
            "height": height,
            "role": "img",
            "aria-label": scrub(label),
        }
    )
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - serialized XML: its text is escaped


def _scrub(value: Any) -> Any:
    """Scrub all text, because a character forbidden in XML ends the process in the library.

    Seen with vl-convert 1.9.0 (2026-11): it panics, which no exception handler catches.
    """
    if isinstance(value, dict):
        return {key: _scrub(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_scrub(each) for each in value]
    return scrub(value) if isinstance(value, str) else value


def _theme() -> Spec:
    """The configuration of all plots; text sizes in pixels, colours by name in the style sheet."""
    labels = {
        "labelColor": ink("ink"),
        "titleColor": ink("ink"),
        "labelFontSize": TEXT,
        "titleFontSize": TEXT,
    }
    plain = {"titleFontWeight": "normal"}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": None,
        "padding": {"left": 2, "top": 4, "right": 12, "bottom": 4},
        "autosize": {"type": "fit", "contains": "padding"},
        "config": {
            "aria": False,
            "font": "Arial",  # for text widths; the style sheet names it and fonts of equal width
            "view": {"stroke": ink("line")},
            "axis": {
                **labels,
                **plain,
                "labelLimit": 0,
                "gridColor": ink("line"),
                "domainColor": ink("soft"),
                "tickColor": ink("soft"),
            },
            "legend": {
                **labels,
                "labelLimit": 0,
                "symbolStrokeWidth": 2,
                "symbolSize": 60,
                "orient": "top",
                "title": None,
                "columns": 3,
                "columnPadding": 8,
            },
            "text": {"color": ink("ink"), "fontSize": TEXT},
        },
    }


def _name_anew(root: ET.Element, key: str) -> None:
    """Number the ids from the start; the library continues its numbers from drawing to drawing."""
    named = [element for element in root.iter() if "id" in element.attrib]
    names = {element.attrib["id"]: f"{key}-{place}" for place, element in enumerate(named)}
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, names[value])
            elif value.startswith("url(#"):
                element.set(name, f"url(#{names[value[5:-1]]})")


def _tidy(element: ET.Element) -> None:
    """Remove empty elements, attributes with default values, and roles; make titles of descriptions."""
    element.tag = element.tag.removeprefix(_SVG)
    told = element.get("aria-label") if element.get("role") == "graphics-symbol" else None
    for name, value in list(element.attrib.items()):
        if name in _DROPPED | _DROPPED_FONT or (name, value) in _DEFAULTS:
            del element.attrib[name]
    children: list[ET.Element] = []
    for child in list(element):
        _tidy(child)
        if not _is_empty(child):
            children += list(child) if child.tag == "g" and not child.attrib else [child]
    element[:] = children
    if told is not None:
        title = ET.Element("title")
        title.text = told
        element.insert(0, title)


def _is_empty(element: ET.Element) -> bool:
    """Whether an element is invisible: without area or colour, or an empty group."""
    if element.get("display") == "none" or (element.tag == "g" and not len(element)):
        return True
    if element.tag == "path":
        return not element.get("d") or not (element.get("stroke") or element.get("fill"))
    return element.tag == "text" and not (element.text or len(element))
