"""One Markdown file per agent that talks; `render` fills it and refuses a missing or an unused value."""
