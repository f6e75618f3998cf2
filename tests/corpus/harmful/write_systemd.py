from pathlib import Path

unit = Path.home() / ".config/systemd/user/x.service"
unit.parent.mkdir(parents=True, exist_ok=True)
unit.write_text("[Service]\nExecStart=/bin/sh\n")
