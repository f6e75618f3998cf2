import pandas as pd
from sqlalchemy import create_engine, text

engine = create_engine("sqlite:///inputs/shop.db")
with engine.connect() as connection:
    orders = pd.read_sql(text("select * from orders where total > 10"), connection)
orders.groupby("customer")["total"].sum().to_csv("outputs/totals.csv")
