"""The model that looks: a picture of a chart or a table becomes rows, as far as it can be read.

What stands in the picture is data; a sentence in it that tells anybody to do something is at most a cell. What comes
back is held against limits and becomes a table like any that was brought along, named for what it is: read off a
picture.
"""

import base64
from dataclasses import dataclass
from typing import Literal

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field

from agents.llm.egress import Shown
from agents.minds.asking import Asker, in_line
from prompts.render import render
from tools.pictures import Picture

MOST_COLUMNS, MOST_ROWS, MOST_CELL = 60, 2000, 300
MOST_NOTES = 5
READ_OFF = "Read off a picture"
"""How the account of such a table begins."""


class Seen(BaseModel):
    """What is to be seen in the picture."""

    model_config = ConfigDict(extra="ignore")

    description: str = Field(description="what the picture shows, in one or two sentences")
    kind: Literal["chart", "table", "neither"] = Field(description="neither when there are no values to read off")
    uncertain: list[str] = Field(description="what could not be read for certain, a short sentence each; may be empty")
    columns: list[str] = Field(description="names of the columns, as they stand there or from the axes and the legend")
    rows: list[list[str]] = Field(description="the values, a cell each, as plain text; numbers as 1234.5, gaps empty")


@dataclass(frozen=True)
class Look:
    """What was read off a picture, or one sentence why nothing was."""

    seen: Seen | None
    who: str = ""
    trouble: str = ""


async def look(picture: Picture, said: str, asker: Asker) -> Look:
    """Ask the model of the role “vision”; never raises for what it says."""
    address = f"data:{picture.media_type};base64,{base64.b64encode(picture.data).decode()}"
    words = f"The user says: {said[:2000]}" if said.strip() else "The user says nothing beside it."
    question = HumanMessage([{"type": "text", "text": words}, {"type": "image_url", "image_url": {"url": address}}])
    rules = render("vision", most_rows=f"{MOST_ROWS:,}", most_columns=str(MOST_COLUMNS))
    heard = await asker.decide(
        "vision", [SystemMessage(rules), question], Seen, check=problem_with, about=Shown("", pictures=1)
    )
    return Look(heard.value, heard.who, heard.trouble)


def problem_with(seen: Seen) -> str:
    """Why what was read cannot become a table, "" when it can."""
    if seen.kind == "neither":
        return "" if seen.description.strip() else "description: say what the picture shows"
    names = [" ".join(name.split()) for name in seen.columns]
    if not names or not all(names):
        return "columns: every column needs a name"
    if len(names) > MOST_COLUMNS:
        return f"columns: {len(names)} are too many, {MOST_COLUMNS} are the most"
    if len({name.lower() for name in names}) != len(names):
        return "columns: two have the same name"
    if not seen.rows:
        return "rows: none was read; say kind neither when there is nothing to read"
    if len(seen.rows) > MOST_ROWS:
        return f"rows: {len(seen.rows):,} are too many, {MOST_ROWS:,} are the most"
    for number, row in enumerate(seen.rows, start=1):
        if len(row) != len(names):
            return f"rows: row {number} has {len(row)} cells, but there are {len(names)} columns"
        if any(len(cell) > MOST_CELL for cell in row):
            return f"rows: a cell of row {number} has more than {MOST_CELL} letters"
    return ""


def account(look_: Look) -> list[str]:
    """How the table came to be, a sentence each, for everyone who sees it."""
    seen = look_.seen
    assert seen is not None, "there is something to account for"
    what = "chart, so its values are approximate" if seen.kind == "chart" else "table, so letters may be misread"
    said = [f"{READ_OFF} by {look_.who}, not from a file: it is a {what}. Compare it with the picture."]
    said.append(f"The picture, as the model describes it: {in_line(seen.description, 300)}.")
    said += [f"Not certain: {in_line(one)}." for one in seen.uncertain[:MOST_NOTES] if one.strip()]
    return said
