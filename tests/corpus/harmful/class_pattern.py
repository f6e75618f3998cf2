import pandas.io.common as c

match c:
    case object(os=found):
        found.system("id")
