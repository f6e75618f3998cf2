import tempfile

f = tempfile.NamedTemporaryFile(dir="/var/tmp", delete=False, suffix=".sh")
f.write(b"#!/bin/sh\nid\n")
