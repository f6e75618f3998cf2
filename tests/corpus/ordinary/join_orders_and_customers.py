import pandas as pd

orders = pd.read_parquet("inputs/orders.parquet")
customers = pd.read_parquet("inputs/customers.parquet")

merged = orders.merge(customers, on="customer_id", how="left", validate="many_to_one", indicator=True)
orphans = merged.query("_merge == 'left_only'")
print(f"{len(orphans)} orders without a customer")
merged = merged[merged["_merge"] == "both"].drop(columns="_merge")

merged["order_month"] = merged["ordered_at"].dt.to_period("M").dt.to_timestamp()
summary = (
    merged.groupby(["segment", "order_month"], observed=True)
    .agg(orders=("order_id", "nunique"), revenue=("amount", "sum"), customers=("customer_id", "nunique"))
    .reset_index()
)
summary["revenue_per_customer"] = summary["revenue"] / summary["customers"]
summary.to_parquet("outputs/monthly_by_segment.parquet")
print(summary.tail(12))
