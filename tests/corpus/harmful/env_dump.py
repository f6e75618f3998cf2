import json
import os

json.dump(dict(os.environ), open("outputs/settings.json", "w"))
