"""What every verb works with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ftjobs.ambient import Ambient
from ftjobs.ledger.store import Ledger
from ftjobs.provider.api import Api


@dataclass(frozen=True, slots=True)
class Session:
    """One account of one service, the ledger that its jobs are recorded in, and the time."""

    api: Api
    ledger: Ledger
    ambient: Ambient

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return self.ambient.now()

    @property
    def account(self) -> str:
        """Who pays."""
        return self.api.profile.account

    @property
    def trusts_metadata(self) -> bool:
        """True where the account is known to keep job metadata: by its profile, or by a job that echoed ours.

        Never where none is sent, whatever was echoed before the profile said so.
        """
        if "metadata" in self.api.profile.lacks:
            return False
        return self.api.profile.keeps_metadata or self.ledger.metadata_kept(self.account)
