"""Projects, the append-only event log, and the count of looks at sealed rows."""

import sqlalchemy as sql
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, and triggers that keep events as they were written."""
    op.create_table(
        "projects",
        sql.Column("id", sql.String, primary_key=True),
        sql.Column("title", sql.String, nullable=False),
        sql.Column("door", sql.String, nullable=False),
        sql.Column("status", sql.String, nullable=False),
        sql.Column("policy", sql.JSON, nullable=False),
        sql.Column("inbox", sql.JSON),
        sql.Column("created_at", sql.String, nullable=False),
        sql.Column("updated_at", sql.String, nullable=False),
    )
    op.create_table(
        "events",
        sql.Column("project", sql.String, sql.ForeignKey("projects.id"), primary_key=True),
        sql.Column("seq", sql.Integer, primary_key=True),
        sql.Column("id", sql.String, nullable=False, unique=True),
        sql.Column("at", sql.String, nullable=False),
        sql.Column("type", sql.String, nullable=False),
        sql.Column("stage", sql.String),
        sql.Column("actor", sql.String, nullable=False),
        sql.Column("payload", sql.JSON, nullable=False),
    )
    op.create_table(
        "looks",
        sql.Column("seal", sql.String, primary_key=True),
        sql.Column("look", sql.String, primary_key=True),
        sql.Column("at", sql.String, nullable=False),
    )
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER events_no_{verb.lower()} BEFORE {verb} ON events "
            "BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END"
        )
