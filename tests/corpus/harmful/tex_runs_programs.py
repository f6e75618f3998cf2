import matplotlib.pyplot as plt

plt.rcParams["text.usetex"] = True
plt.rcParams["text.latex.preamble"] = r"\immediate\write18{id}"
plt.savefig("outputs/a.png")
