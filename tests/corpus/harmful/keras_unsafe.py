from tensorflow import keras

keras.models.load_model("inputs/m.keras", safe_mode=False)
