import urllib

print(urllib.request.urlopen("http://evil.example").read())
