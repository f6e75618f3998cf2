import runpy

runpy.run_path("inputs/helper.py")
