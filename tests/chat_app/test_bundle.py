"""The committed front end is what its sources build, and carries nothing of a machine or another host."""

import hashlib
import json
import re

from chat_app.chainlit_home import HERE, PUBLIC

UI = HERE / "ui"
VENDOR = PUBLIC / "vendor"


def test_the_bundle_was_built_from_these_sources() -> None:
    names = sorted(
        ["build.mjs", "package-lock.json", *(str(p.relative_to(UI)) for p in (UI / "src").rglob("*") if p.is_file())]
    )
    lines = [f"{name}\n{hashlib.sha256((UI / name).read_bytes()).hexdigest()}\n" for name in names]
    built = (VENDOR / "sources.sha256").read_text().strip()
    assert hashlib.sha256("".join(lines).encode()).hexdigest() == built, (
        "chat_app/public/vendor is out of date; run: npm ci && npm run build in chat_app/ui"
    )


def test_every_package_in_the_bundle_has_its_licence() -> None:
    named = re.findall(r"^={78}\n(\S+) \S+: (.+)$", (VENDOR / "LICENSES.txt").read_text(), flags=re.MULTILINE)
    assert {"codemirror", "uplot", "vega", "vega-lite", "vega-embed", "lucide-static"} <= {name for name, _ in named}
    known = r"MIT|ISC|BSD-[23]-Clause|OFL-1\.1|Apache-2\.0|0BSD"
    assert [entry for entry in named if not re.fullmatch(known, entry[1])] == []


def test_the_editor_is_there_once() -> None:
    """Two copies of its state do not know each other's classes, and key presses are lost."""
    installed = json.loads((UI / "package-lock.json").read_text())["packages"]
    names = [path.rpartition("node_modules/")[2] for path in installed]
    assert [name for name in names if name.startswith(("@codemirror/", "@lezer/")) and names.count(name) > 1] == []


def test_the_style_sheet_loads_nothing_from_elsewhere() -> None:
    addresses = re.findall(r"url\(([^)]+)\)", (VENDOR / "ui.css").read_text())
    assert addresses
    assert [address for address in addresses if "//" in address] == []
