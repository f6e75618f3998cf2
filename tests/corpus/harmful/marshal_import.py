m = __import__("mar" + "shal")
