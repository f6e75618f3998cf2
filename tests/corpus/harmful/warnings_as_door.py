import warnings

warnings.sys.modules["os"].system("id")
