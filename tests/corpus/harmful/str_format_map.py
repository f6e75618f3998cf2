print("{x.__class__.__init__.__globals__}".format_map({"x": open}))
