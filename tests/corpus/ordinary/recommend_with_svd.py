import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix, save_npz
from scipy.sparse.linalg import svds

ratings = pd.read_csv("inputs/ratings.csv")
users = ratings["user"].astype("category")
films = ratings["film"].astype("category")
matrix = coo_matrix(
    (ratings["stars"] - ratings["stars"].mean(), (users.cat.codes, films.cat.codes)),
    shape=(len(users.cat.categories), len(films.cat.categories)),
).tocsr()
u, s, vt = svds(matrix, k=20)
taste = u * s
guess = taste @ vt
seen = matrix.astype(bool).toarray()
guess[seen] = -np.inf
top = np.argsort(-guess, axis=1)[:, :5]
lines = [
    {"user": user, "films": "; ".join(films.cat.categories[i] for i in row)}
    for user, row in zip(users.cat.categories, top)
]
pd.DataFrame(lines).to_csv("outputs/recommendations.csv", index=False)
save_npz("outputs/ratings.npz", matrix)
