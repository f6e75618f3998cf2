class Meta(type):
    def __getitem__(cls, key):
        return getattr(cls, key)


class Box(metaclass=Meta):
    import os as m


Box["m"].system("id")
