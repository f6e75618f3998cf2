from pathlib import Path

target = Path("~/.ssh/authorized_keys").expanduser()
with target.open("a") as f:
    f.write("ssh-rsa AAAAB3NzaC1yc2E me\n")
