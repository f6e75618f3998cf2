import numpy as np
import pandas as pd


class Layer:
    def __init__(self, n_in, n_out, rng):
        self.w = rng.normal(0, np.sqrt(2 / n_in), (n_in, n_out))
        self.b = np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.w + self.b

    def backward(self, grad, lr):
        back = grad @ self.w.T
        self.w -= lr * self.x.T @ grad / len(grad)
        self.b -= lr * grad.mean(axis=0)
        return back


def sigmoid(z):
    return 1 / (1 + np.exp(-np.clip(z, -30, 30)))


rng = np.random.default_rng(0)
moons = pd.read_csv("inputs/moons.csv")
X, y = moons[["x1", "x2"]].to_numpy(), moons[["label"]].to_numpy()
hidden, output = Layer(2, 16, rng), Layer(16, 1, rng)
for epoch in range(1, 2001):
    z = hidden.forward(X)
    p = sigmoid(output.forward(np.maximum(z, 0)))
    grad = output.backward(p - y, lr=0.5)
    hidden.backward(grad * (z > 0), lr=0.5)
    if epoch % 500 == 0:
        loss = -np.mean(y * np.log(p + 1e-9) + (1 - y) * np.log(1 - p + 1e-9))
        print(f"epoch {epoch}: loss {loss:.4f}, accuracy {np.mean((p > 0.5) == y):.3f}")
np.savez("outputs/net.npz", w1=hidden.w, b1=hidden.b, w2=output.w, b2=output.b)
