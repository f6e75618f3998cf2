import joblib
import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

with np.load("inputs/images.npz") as archive:
    images, labels = archive["images"], archive["labels"]
X = images.reshape(len(images), -1).astype(np.float32) / 255
X_train, X_valid, y_train, y_valid = train_test_split(X, labels, test_size=0.15, random_state=0)
net = make_pipeline(
    StandardScaler(),
    MLPClassifier((128, 64), early_stopping=True, learning_rate_init=2e-3, batch_size=128, random_state=0, verbose=True),
)
net.fit(X_train, y_train)
wrong = np.flatnonzero(net.predict(X_valid) != y_valid)
print(f"{1 - len(wrong) / len(y_valid):.2%} right; first mistakes: {wrong[:10].tolist()}")
joblib.dump(net, "outputs/model.joblib")
