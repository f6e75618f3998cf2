import matplotlib.pyplot as plt

fig = plt.figure()
fig.savefig(fname="/tmp/../etc/motd.png")
