from sklearn.datasets import fetch_openml

X, y = fetch_openml("adult", version=2, return_X_y=True)
