"""Quick look at the customer table before deciding anything."""
import pandas as pd

pd.set_option("display.width", 160)
pd.set_option("display.max_columns", 40)

df = pd.read_csv("inputs/customers.csv", parse_dates=["signup_date"])
print(df.shape)
print(df.head())
print(df.dtypes)
print(df.describe(include="all").T)

missing = df.isna().mean().sort_values(ascending=False)
print("Columns with gaps:")
print(missing[missing > 0].map("{:.1%}".format))

for col in df.select_dtypes("object"):
    n = df[col].nunique()
    if n < 20:
        print(f"\n{col} ({n} values)")
        print(df[col].value_counts(dropna=False).to_string())

print("duplicates:", df.duplicated().sum())
print("signups from", df["signup_date"].min().date(), "to", df["signup_date"].max().date())
