"""The drawer: Vega-Lite in, SVG and PNG out, drawn on this machine with fonts of its own. Nobody else knows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_NOWHERE: list[str] = []  # nothing is fetched: the data is inside, and so are the fonts


def can_draw() -> bool:
    """Return whether the drawer is installed."""
    from importlib.util import find_spec

    return find_spec("vl_convert") is not None


def svg_of(chart: Mapping[str, Any]) -> str:
    """Return the chart as SVG, the same for the same chart; ValueError where the drawer fails."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(json.dumps(chart), allowed_base_urls=_NOWHERE))


def png_of(chart: Mapping[str, Any], *, scale: float) -> bytes:
    """Return the chart as PNG, `scale` times its size; ValueError where the drawer fails."""
    import vl_convert

    return bytes(vl_convert.vegalite_to_png(json.dumps(chart), scale=scale, allowed_base_urls=_NOWHERE))
