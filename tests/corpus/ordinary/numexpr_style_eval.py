import numpy as np
import pandas as pd

df = pd.read_parquet("inputs/measurements.parquet")
df.eval("bmi = weight_kg / (height_cm / 100) ** 2", inplace=True)
df["ratio"] = pd.eval("df.waist_cm / df.hip_cm")
limit = df["bmi"].quantile(0.99)
odd = df.query("bmi > @limit or ratio > 1.2")
print(odd[["patient", "bmi", "ratio"]])

formulas = {
    "area": "sqrt(height_cm * weight_kg / 3600)",
    "pulse_pressure": "systolic - diastolic",
}
for name, formula in formulas.items():
    df[name] = df.eval(formula)
df["bmi_class"] = pd.cut(df["bmi"], [0, 18.5, 25, 30, np.inf], labels=["under", "normal", "over", "obese"])
df.to_parquet("outputs/measurements.parquet")
