import os

vars(os)["sys" + "tem"]("id")
