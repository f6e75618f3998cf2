"""The one table that the chat keeps for itself. All else in its history is drawn from projects and events."""

import sqlalchemy as sql

metadata = sql.MetaData()

hidden = sql.Table(
    "chat_hidden",
    metadata,
    sql.Column("project", sql.String, primary_key=True),
    sql.Column("at", sql.String, nullable=False),
)
"""Projects that the user took off the list of past chats; their events and files stay."""
