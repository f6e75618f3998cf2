"""An index of the calls of language models alone: what a day has cost is asked for before every run."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the index; other events do not pay for it."""
    op.execute("CREATE INDEX events_model_calls ON events (at) WHERE type = 'MODEL_CALLED'")
