try:
    import subprocess as tool
except ImportError:
    tool = None
if tool:
    tool.Popen(["id"])
