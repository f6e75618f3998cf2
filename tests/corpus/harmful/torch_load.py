import torch

torch.load("inputs/weights.pt", weights_only=False)
