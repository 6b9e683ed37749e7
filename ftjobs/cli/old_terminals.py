"""Characters that an old code page lacks, written as ones that look like them."""

from __future__ import annotations

import codecs
from typing import Final

ERRORS: Final = "ftjobs_alike"
"""The name of `alike` as a stream's `errors`."""

_BLOCKS: Final = dict(zip("▁▂▃▄▅▆▇█▏▎▍▌▋▊▉░", "_.,-~=+#----===-", strict=True))
_ALIKE: Final = {"–": "-", "…": "...", "→": "->", "×": "x", **_BLOCKS}


def alike(error: UnicodeError) -> tuple[str, int]:
    """Return what to write for the characters that cannot be: ones alike, else their backslash escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    written = (_ALIKE.get(each) or each.encode("ascii", "backslashreplace").decode() for each in lacking)
    return "".join(written), error.end


codecs.register_error(ERRORS, alike)
