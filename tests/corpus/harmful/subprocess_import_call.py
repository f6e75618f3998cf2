__import__("subprocess").call("id", shell=True)
