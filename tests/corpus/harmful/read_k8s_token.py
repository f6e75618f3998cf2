from pathlib import Path

token = Path("/run/secrets/kubernetes.io/serviceaccount/token")
if token.is_file():
    print(token.read_text())
