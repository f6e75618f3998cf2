"""Projects that a user took off the list of past chats."""

import sqlalchemy as sql
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "chat_hidden",
        sql.Column("project", sql.String, primary_key=True),
        sql.Column("at", sql.String, nullable=False),
    )
