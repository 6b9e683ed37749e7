"""The drawer: Vega-Lite in, SVG and PNG out, drawn on this machine with fonts of its own. Nobody else knows it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
# What XML cannot hold: the drawer does not refuse it, it aborts the process.
_UNDRAWABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NOWHERE: list[str] = []  # nothing is fetched: the data is inside, and so are the fonts


def can_draw() -> bool:
    """Return whether the drawer is installed."""
    from importlib.util import find_spec

    return find_spec("vl_convert") is not None


def svg_of(chart: Mapping[str, Any]) -> str:
    """Return the chart as SVG, the same for the same chart; ValueError where the drawer fails."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(_told(chart), allowed_base_urls=_NOWHERE))


def png_of(chart: Mapping[str, Any], *, scale: float) -> bytes:
    """Return the chart as PNG, `scale` times its size; ValueError where the drawer fails."""
    import vl_convert

    return bytes(vl_convert.vegalite_to_png(_told(chart), scale=scale, allowed_base_urls=_NOWHERE))


def _told(chart: Mapping[str, Any]) -> str:
    return json.dumps(_drawable(chart))


def _drawable(value: object) -> object:
    match value:
        case str():
            return _UNDRAWABLE.sub("\ufffd", value)
        case Mapping():
            return {name: _drawable(each) for name, each in value.items()}
        case list() | tuple():
            return [_drawable(each) for each in value]
        case _:
            return value
