import base64

src = base64.b85decode("X>D+Ca&#bNWpZ=")
open("outputs/x.py", "wb").write(src)
