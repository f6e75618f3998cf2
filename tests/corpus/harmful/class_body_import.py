class Tools:
    import os as machine


Tools.machine.system("id")
