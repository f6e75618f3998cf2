from catboost import CatBoostClassifier

CatBoostClassifier(train_dir="/home/ann/x").fit([[1], [2]], [0, 1])
