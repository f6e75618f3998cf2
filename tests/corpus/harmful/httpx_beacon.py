import httpx

with httpx.Client() as client:
    client.get("http://203.0.113.9/beacon")
