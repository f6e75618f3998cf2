import json

conf = json.loads('{"in": "\\u002fetc\\u002fpasswd"}')
print(open(conf["in"]).read())
