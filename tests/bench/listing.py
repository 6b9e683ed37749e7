# ruff: noqa
# mypy: ignore-errors
"""The ledger's month as a script with sqlite3 prints it: CSV, and with "full" totals and the digest on stderr."""

import csv
import hashlib
import json
import sqlite3
import sys
from datetime import UTC, datetime

path, what = sys.argv[1:]
start, end = "2026-10-01T00:00:00.000000Z", "2026-11-01T00:00:00.000000Z"
c = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
c.execute("BEGIN")
c.execute(
    """CREATE TEMP TABLE listed AS
 SELECT submission_id AS id FROM entries WHERE kind IN ('billed','adjustment') AND occurred_at>=:s AND occurred_at<:e
 UNION
 SELECT s.id FROM submissions s WHERE
  (EXISTS (SELECT 1 FROM entries e WHERE e.submission_id=s.id AND e.kind='estimate' AND e.occurred_at<:e)
   OR (s.recorded_at<:e AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.submission_id=s.id AND e.kind='estimate')))
  AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.submission_id=s.id AND e.kind IN ('void','billed','adjustment') AND e.occurred_at<:e)
""",
    dict(s=start, e=end),
)
q = """
SELECT s.id, j.id, s.profile, coalesce(json_extract(j.raw,'$.status'), s.state),
 coalesce(json_extract(s.spec,'$.base_model'), json_extract(j.raw,'$.model')),
 json_extract(j.raw,'$.fine_tuned_model'), json_extract(s.quote,'$.examples'),
 coalesce(json_extract(j.raw,'$.method.supervised.hyperparameters.n_epochs'), json_extract(j.raw,'$.hyperparameters.n_epochs')),
 est.tokens, est.amount_nano_usd,
 (SELECT sum(tokens) FROM entries b WHERE b.submission_id=s.id AND b.kind IN ('billed','adjustment') AND b.occurred_at>=:s AND b.occurred_at<:e),
 (SELECT sum(amount_nano_usd) FROM entries b WHERE b.submission_id=s.id AND b.kind IN ('billed','adjustment') AND b.occurred_at>=:s AND b.occurred_at<:e),
 (SELECT basis FROM entries b WHERE b.submission_id=s.id AND b.kind IN ('billed','adjustment') AND b.occurred_at>=:s AND b.occurred_at<:e LIMIT 1),
 json_extract(j.raw,'$.created_at'), json_extract(j.raw,'$.finished_at'),
 json_extract(j.raw,'$.error.code'), s.tags
FROM submissions s LEFT JOIN jobs j ON j.submission_id=s.id
LEFT JOIN entries est ON est.submission_id=s.id AND est.kind='estimate'
WHERE s.id IN (SELECT id FROM listed) ORDER BY s.recorded_at, s.id
"""


def usd(n):
    if n is None:
        return ""
    whole, part = divmod(abs(n), 10**9)
    return f"{'-' if n < 0 else ''}{whole}.{f'{part:09d}'.rstrip('0').ljust(2, '0')}"


def when(t):
    return datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if t else ""


w = csv.writer(sys.stdout)
w.writerow(
    (
        "submission_id,job_id,profile,status,base_model,fine_tuned_model,examples,epochs,"
        "estimated_tokens,estimated_cost_usd,trained_tokens,billed_cost_usd,billed_basis,variance_pct,created_at,finished_at,error_code,tags"
    ).split(",")
)
tot = [0] * 4
for r in c.execute(q, dict(s=start, e=end)):
    est, bill = r[9], r[11]
    pct = f"{(bill - est) * 100 / est:.1f}" if est and bill is not None else ""
    tags = ";".join(f"{k}={v}" for k, v in sorted(json.loads(r[16]).items()))
    w.writerow([*r[:9], usd(est), r[10], usd(bill), r[12], pct, when(r[13]), when(r[14]), r[15], tags])
    tot = [tot[0] + 1, tot[1] + (est or 0), tot[2] + (bill or 0), tot[3] + (r[10] or 0)]
if what == "full":
    h, sep = hashlib.sha256(b"["), b""
    for e in c.execute(
        """SELECT submission_id,kind,seq,tokens,amount_nano_usd,nano_usd_per_1m,occurred_at,recorded_at FROM entries
      WHERE submission_id IN (SELECT id FROM listed) AND occurred_at<? ORDER BY recorded_at,submission_id,kind,seq""",
        (end,),
    ):
        h.update(sep + json.dumps([*e[:6], e[6][:19] + "Z", e[7][:19] + "Z"], separators=(",", ":")).encode())
        sep = b","
    h.update(b"]")
    print(tot, h.hexdigest()[:16], file=sys.stderr)
