"""Remember what changed, who adjusted, and what was invoiced; show costs to any program that reads SQL."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")

# A cost that is unknown is NULL. REAL dollars are for charts; sums of money are taken over the nano-dollars.
JOB_COSTS = """
CREATE VIEW job_costs AS
SELECT
  s.id AS submission_id,
  j.id AS job_id,
  s.profile AS profile,
  CASE
    WHEN j.id IS NULL THEN s.state
    WHEN j.missed >= 2 AND json_extract(j.told, '$.status') NOT IN ('succeeded', 'failed', 'cancelled', 'canceled')
      THEN 'missing'
    ELSE json_extract(j.told, '$.status')
  END AS status,
  coalesce(json_extract(s.spec, '$.base_model'), json_extract(j.told, '$.model')) AS base_model,
  json_extract(j.told, '$.fine_tuned_model') AS fine_tuned_model,
  json_extract(s.quote, '$.examples') AS examples,
  s.tags AS tags,
  substr(s.recorded_at, 1, 10) AS recorded_on,
  substr(e.billed_at, 1, 10) AS billed_on,
  e.estimated_tokens AS estimated_tokens,
  e.trained_tokens AS trained_tokens,
  e.estimated_nano_usd AS estimated_nano_usd,
  e.billed_nano_usd AS billed_nano_usd,
  CASE WHEN e.ends = 0 THEN e.high_nano_usd ELSE 0 END AS committed_nano_usd,
  e.estimated_nano_usd / 1e9 AS estimated_usd,
  e.billed_nano_usd / 1e9 AS billed_usd
FROM submissions s
LEFT JOIN (
  SELECT id, submission_id, missed, CASE WHEN json_valid(raw) THEN raw ELSE '{}' END AS told FROM jobs
) j ON j.submission_id = s.id
LEFT JOIN (
  SELECT
    submission_id,
    sum(CASE WHEN kind = 'estimate' THEN tokens END) AS estimated_tokens,
    sum(CASE WHEN kind = 'estimate' THEN amount_nano_usd END) AS estimated_nano_usd,
    sum(CASE WHEN kind = 'estimate' THEN coalesce(high_nano_usd, amount_nano_usd) END) AS high_nano_usd,
    sum(CASE WHEN kind IN ('billed', 'adjustment') THEN tokens END) AS trained_tokens,
    sum(CASE WHEN kind IN ('billed', 'adjustment') THEN amount_nano_usd END) AS billed_nano_usd,
    min(CASE WHEN kind IN ('billed', 'adjustment') THEN occurred_at END) AS billed_at,
    sum(CASE WHEN kind = 'estimate' THEN 0 ELSE 1 END) AS ends
  FROM entries GROUP BY submission_id
) e ON e.submission_id = s.id
"""
LEDGER_MONTH = """
CREATE VIEW ledger_month AS
SELECT
  substr(e.occurred_at, 1, 7) AS month,
  c.profile AS profile,
  c.base_model AS base_model,
  count(DISTINCT e.submission_id) AS jobs,
  sum(e.tokens) AS trained_tokens,
  sum(e.amount_nano_usd) AS billed_nano_usd,
  sum(e.amount_nano_usd) / 1e9 AS billed_usd
FROM entries e JOIN job_costs c ON c.submission_id = e.submission_id
WHERE e.kind IN ('billed', 'adjustment')
GROUP BY substr(e.occurred_at, 1, 7), c.profile, c.base_model
"""
# The same columns and numbers. What PostgreSQL cannot read as JSON (a NUL, half a surrogate) must cost a row its
# texts and nobody the view, and a cast has no other guard than a function that catches.
JSON_OF = r"""
CREATE FUNCTION ftjobs_json(value text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN replace(value, '\u0000', '\ufffd')::jsonb;
EXCEPTION WHEN others THEN
  RETURN NULL;
END $$
"""
POSTGRESQL_JOB_COSTS = """
CREATE VIEW job_costs AS
SELECT
  s.id AS submission_id,
  j.id AS job_id,
  s.profile AS profile,
  CASE
    WHEN j.id IS NULL THEN s.state
    WHEN j.missed >= 2 AND j.told ->> 'status' NOT IN ('succeeded', 'failed', 'cancelled', 'canceled')
      THEN 'missing'
    ELSE j.told ->> 'status'
  END AS status,
  coalesce(s.spec ->> 'base_model', j.told ->> 'model') AS base_model,
  j.told ->> 'fine_tuned_model' AS fine_tuned_model,
  CASE WHEN jsonb_typeof(s.quote -> 'examples') = 'number' THEN (s.quote ->> 'examples')::numeric::bigint END
    AS examples,
  s.tags AS tags,
  substr(s.recorded_at, 1, 10) AS recorded_on,
  substr(e.billed_at, 1, 10) AS billed_on,
  e.estimated_tokens AS estimated_tokens,
  e.trained_tokens AS trained_tokens,
  e.estimated_nano_usd AS estimated_nano_usd,
  e.billed_nano_usd AS billed_nano_usd,
  CASE WHEN e.ends = 0 THEN e.high_nano_usd ELSE 0 END AS committed_nano_usd,
  e.estimated_nano_usd / 1e9::double precision AS estimated_usd,
  e.billed_nano_usd / 1e9::double precision AS billed_usd
FROM (
  SELECT id, profile, state, tags, recorded_at, ftjobs_json(spec) AS spec, ftjobs_json(quote) AS quote
  FROM submissions
) s
LEFT JOIN (SELECT id, submission_id, missed, ftjobs_json(raw) AS told FROM jobs) j ON j.submission_id = s.id
LEFT JOIN (
  SELECT
    submission_id,
    sum(CASE WHEN kind = 'estimate' THEN tokens END)::bigint AS estimated_tokens,
    sum(CASE WHEN kind = 'estimate' THEN amount_nano_usd END)::bigint AS estimated_nano_usd,
    sum(CASE WHEN kind = 'estimate' THEN coalesce(high_nano_usd, amount_nano_usd) END)::bigint AS high_nano_usd,
    sum(CASE WHEN kind IN ('billed', 'adjustment') THEN tokens END)::bigint AS trained_tokens,
    sum(CASE WHEN kind IN ('billed', 'adjustment') THEN amount_nano_usd END)::bigint AS billed_nano_usd,
    min(CASE WHEN kind IN ('billed', 'adjustment') THEN occurred_at END) AS billed_at,
    sum(CASE WHEN kind = 'estimate' THEN 0 ELSE 1 END) AS ends
  FROM entries GROUP BY submission_id
) e ON e.submission_id = s.id
"""
POSTGRESQL_LEDGER_MONTH = """
CREATE VIEW ledger_month AS
SELECT
  substr(e.occurred_at, 1, 7) AS month,
  c.profile AS profile,
  c.base_model AS base_model,
  count(DISTINCT e.submission_id) AS jobs,
  sum(e.tokens)::bigint AS trained_tokens,
  sum(e.amount_nano_usd)::bigint AS billed_nano_usd,
  sum(e.amount_nano_usd)::bigint / 1e9::double precision AS billed_usd
FROM entries e JOIN job_costs c ON c.submission_id = e.submission_id
WHERE e.kind IN ('billed', 'adjustment')
GROUP BY substr(e.occurred_at, 1, 7), c.profile, c.base_model
"""
APPEND_ONLY = ("changes", "invoices", "reconciliations")


def upgrade() -> None:
    op.add_column("entries", sa.Column("recorded_by", sa.Text))
    op.create_table(
        "changes",
        sa.Column("id", WHOLE, nullable=False, autoincrement=True),
        sa.Column("submission_id", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("recorded_at", sa.Text, nullable=False),
        sa.Column("recorded_by", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_changes"),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name="fk_changes_submission_id"),
        sa.CheckConstraint("what IN ('state','job','tags')", name=op.f("ck_changes_what")),
        sqlite_strict=True,
    )
    op.create_index("ix_changes_recorded_at", "changes", ["recorded_at"])
    op.create_table(
        "invoices",
        sa.Column("id", WHOLE, nullable=False, autoincrement=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("day", sa.Text, nullable=False),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("line_item", sa.Text, nullable=False),
        sa.Column("amount_nano_usd", WHOLE, nullable=False),
        sa.Column("quantity", sa.Text),
        sa.Column("quantity_unit", sa.Text),
        sa.Column("recorded_at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_invoices"),
        sqlite_strict=True,
    )
    op.create_index("ix_invoices_account_day", "invoices", ["account", "day"])
    op.create_table(
        "reconciliations",
        sa.Column("id", WHOLE, nullable=False, autoincrement=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("first_day", sa.Text, nullable=False),
        sa.Column("last_day", sa.Text, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.Text, nullable=False),
        sa.Column("recorded_by", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_reconciliations"),
        sqlite_strict=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in APPEND_ONLY:
            for verb, each in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"FOR EACH {each} EXECUTE FUNCTION ftjobs_refuse('{table} are append-only')"
                )
        for statement in (JSON_OF, POSTGRESQL_JOB_COSTS, POSTGRESQL_LEDGER_MONTH):
            op.get_bind().exec_driver_sql(statement)
        return
    for table in APPEND_ONLY:
        refuse = f"SELECT RAISE(ABORT, '{table} are append-only')"
        for verb in ("UPDATE", "DELETE"):
            op.execute(f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} BEGIN {refuse}; END")
        again = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)"  # noqa: S608 - a name of ours
        op.execute(f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} {again} BEGIN {refuse}; END")
    op.execute(JOB_COSTS)
    op.execute(LEDGER_MONTH)
