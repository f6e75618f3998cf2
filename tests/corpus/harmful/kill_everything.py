from os import kill

kill(-1, 9)
