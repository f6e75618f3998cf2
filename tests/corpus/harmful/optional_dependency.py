from pandas.compat._optional import import_optional_dependency as get

get("subprocess").run(["id"])
