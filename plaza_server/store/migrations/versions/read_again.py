"""A record in quarantine that can be read at last is given its passage: once, and nothing else."""

from alembic import op

revision = "0010"
down_revision = "0009"

_KEPT = ("lane_id", "epoch", "seq", "previous_hash", "chain_hash", "body", "received_ms")
_REFUSED = "rows of records are never changed"


def upgrade() -> None:
    """Let the passage of a record be named where it has none; all else stays refused."""
    if op.get_bind().dialect.name == "postgresql":
        _upgrade_postgresql()
    else:
        _upgrade_sqlite()


def _upgrade_sqlite() -> None:
    same = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in _KEPT)
    named = "OLD.passage_id IS NULL AND NEW.passage_id IS NOT NULL"
    # REPLACE would delete the record that has the passage, and no trigger hears of that.
    free = "NOT EXISTS (SELECT 1 FROM records WHERE passage_id = NEW.passage_id)"
    op.execute("DROP TRIGGER records_no_update")
    op.execute(
        "CREATE TRIGGER records_no_update BEFORE UPDATE ON records"
        f" WHEN NOT ({named} AND {same} AND {free}) BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
    )


def _upgrade_postgresql() -> None:
    same = " AND ".join(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in _KEPT)
    named = "OLD.passage_id IS NULL AND NEW.passage_id IS NOT NULL"
    op.execute("DROP TRIGGER records_fixed ON records")
    op.execute(
        "CREATE TRIGGER records_fixed BEFORE DELETE OR TRUNCATE ON records"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        f"CREATE TRIGGER records_named BEFORE UPDATE ON records FOR EACH ROW"
        f" WHEN (NOT ({named} AND {same})) EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    """Refuse every change again."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER records_named ON records")
        op.execute("DROP TRIGGER records_fixed ON records")
        op.execute(
            "CREATE TRIGGER records_fixed BEFORE UPDATE OR DELETE OR TRUNCATE ON records"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    op.execute("DROP TRIGGER records_no_update")
    op.execute(
        "CREATE TRIGGER records_no_update BEFORE UPDATE ON records BEGIN"
        f" SELECT RAISE(ABORT, '{_REFUSED}'); END"
    )
