"""Every mutant, in the order of the design."""

from __future__ import annotations

from tests.mutants.adopting import ADOPTING
from tests.mutants.closing import CLOSING
from tests.mutants.hosting import HOSTING
from tests.mutants.ledger_database import DATABASE
from tests.mutants.ledger_entries import ENTRIES
from tests.mutants.mutant import Mutant
from tests.mutants.protocol_after import AFTER
from tests.mutants.protocol_before import BEFORE
from tests.mutants.protocol_create import CREATE

MUTANTS: tuple[Mutant, ...] = (*BEFORE, *CREATE, *AFTER, *ENTRIES, *DATABASE, *ADOPTING, *CLOSING, *HOSTING)
