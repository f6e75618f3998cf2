import os

setattr(os, "remove", print)
