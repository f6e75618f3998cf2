import matplotlib.pyplot as plt

plt.imread("https://evil.example/pixel.png")
