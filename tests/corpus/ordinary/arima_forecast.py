import warnings

import matplotlib.pyplot as plt
import pandas as pd
from statsmodels.tsa.seasonal import STL
from statsmodels.tsa.statespace.sarimax import SARIMAX
from statsmodels.tsa.stattools import adfuller

warnings.filterwarnings("ignore", category=UserWarning)

air = pd.read_csv("inputs/passengers.csv", parse_dates=["month"]).set_index("month")["count"].asfreq("MS")
print("ADF p-value: %.3f" % adfuller(air.diff().dropna())[1])

parts = STL(air, period=12, robust=True).fit()
parts.plot()
plt.savefig("outputs/stl.png")
plt.close("all")

train, test = air[:-24], air[-24:]
result = SARIMAX(train, order=(1, 1, 1), seasonal_order=(0, 1, 1, 12)).fit(disp=False)
forecast = result.get_forecast(24)
mean, ci = forecast.predicted_mean, forecast.conf_int()
mape = ((test - mean).abs() / test).mean()
print(f"MAPE on the last two years: {mape:.1%}")
pd.DataFrame({"actual": test, "forecast": mean}).join(ci).to_csv("outputs/forecast.csv")
