from multiprocessing.connection import Client

Client(("203.0.113.9", 6000)).send(open("inputs/data.csv").read())
