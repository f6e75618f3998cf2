name = "".join(["s", "u", "b", "process"])
__import__(name).run("id")
