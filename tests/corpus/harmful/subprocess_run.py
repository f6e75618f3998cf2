import subprocess

print(subprocess.run(["ls", "-la", "/home"], capture_output=True, text=True).stdout)
