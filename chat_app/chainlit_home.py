"""Chainlit's own settings: environment, config.toml and words, written before it is imported."""

import hashlib
import importlib.util
import json
import os
import shutil
from pathlib import Path
from typing import Any

from chat_app.settings import Settings

HERE = Path(__file__).parent
PUBLIC = HERE / "public"
ELEMENTS = HERE / "elements"
TABLES = (".csv", ".tsv", ".txt", ".gz", ".xlsx", ".json", ".ndjson", ".jsonl", ".parquet")
SUFFIXES = (*TABLES, ".png", ".jpg", ".jpeg", ".webp")
"""By name only: browsers and systems disagree on the types; what a file really is, ingest finds out."""

CONFIG = """\
[project]
user_env = []
session_timeout = 900
user_session_timeout = 1296000
persist_user_env = false
allow_origins = []

[features]
unsafe_allow_html = false
latex = false
user_message_markdown = false
edit_message = false
auto_tag_thread = false
favorites = false
allow_thread_sharing = false

[features.spontaneous_file_upload]
enabled = true
max_files = 1
max_size_mb = {max_upload_mb}
accept = {accept}

[features.audio]
enabled = false

[features.mcp]
enabled = false

[UI]
name = "Modelwright"
description = "A table and a sentence in; a model you can trust and the code that made it out."
language = "en-US"
default_theme = "dark"
layout = "wide"
cot = "hidden"
default_sidebar_state = "open"
confirm_new_chat = false
custom_css = "/public/vendor/ui.css?v={version}"
custom_js = "/public/vendor/ui.mjs?v={version}"
custom_js_attributes = 'type="module"'

[meta]
generated_by = "2.12.0"
"""

WORDS: dict[str, Any] = {
    "chat": {
        "input": {"placeholder": "Attach a table and say what you want to predict …", "actions": {"stop": "Stop"}},
        "fileUpload": {"errors": {"failed": "Not attached:"}},
        "messages": {"status": {"using": "", "used": ""}},
        "watermark": "Every reported number is measured on sealed rows that no generated code has seen.",
    },
    "threadHistory": {
        "sidebar": {"title": "Projects", "empty": "No projects yet", "filters": {"placeholder": "Search projects…"}},
        "thread": {
            "untitled": "New project",
            "actions": {
                "delete": {
                    "title": "Take this project off the list?",
                    "description": "It is not listed any more. Its files stay in the data folder of Modelwright.",
                    "success": "Taken off the list",
                    "inProgress": "Taking it off the list",
                },
                "rename": {"title": "Rename project", "description": "Enter a new name", "success": "Project renamed"},
            },
        },
    },
    "navigation": {"newChat": {"button": "New project", "dialog": {"tooltip": "New project"}}},
}


def prepare_chainlit(settings: Settings) -> Path:
    """Write Chainlit's folder under `home` and point the environment at it. Call before anything imports chainlit."""
    settings.prepare_home()
    root = settings.home / "chat"
    folder = root / ".chainlit"
    shutil.rmtree(root / ".files", ignore_errors=True)  # uploads of tabs that ended with the last process
    (folder / "translations").mkdir(parents=True, exist_ok=True, mode=0o700)
    config = CONFIG.format(
        max_upload_mb=settings.max_upload_mb,
        accept=f'{{ "*/*" = {json.dumps(SUFFIXES)} }}',
        version=bundle_version(),
    )
    (folder / "config.toml").write_text(config, encoding="utf-8")
    words = json.dumps(_merged(_packaged_words(), WORDS), ensure_ascii=False)
    (folder / "translations" / "en-US.json").write_text(words, encoding="utf-8")
    (root / "chainlit_en-US.md").write_text("", encoding="utf-8")  # no "Readme" button
    os.environ.update(
        {
            "CHAINLIT_APP_ROOT": str(root),
            "CHAINLIT_ROOT_PATH": "/",
            "CHAINLIT_AUTH_SECRET": settings.session_secret(),
            "CHAINLIT_COOKIE_SAMESITE": "strict",
            "CHAINLIT_ENV_FILE": ".modelwright-has-its-own-settings",
        }
    )
    return root


def bundle_version() -> str:
    """Changes when the front end does, so that no browser keeps an old one."""
    files = sorted((PUBLIC / "vendor").glob("*.*"))
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()[:12]


def _packaged_words() -> dict[str, Any]:
    spec = importlib.util.find_spec("chainlit")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("The package chainlit is missing; please install Modelwright again.")
    path = Path(spec.submodule_search_locations[0]) / "translations" / "en-US.json"
    words: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return words


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = dict(base)
    for name, value in over.items():
        both[name] = _merged(both.get(name, {}), value) if isinstance(value, dict) else value
    return both
