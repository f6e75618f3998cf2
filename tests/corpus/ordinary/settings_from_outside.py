import os


def setting(name, default):
    return type(default)(os.environ.get(name, default))


ROUNDS = setting("N_ROUNDS", 100)
FOLDER = setting("DATA_DIR", "inputs")
PASSES = int(os.environ.get("N_USERS", "10"))
print(ROUNDS, FOLDER, PASSES, os.getenv("KAGGLE_KERNEL_RUN_TYPE", "local"))
