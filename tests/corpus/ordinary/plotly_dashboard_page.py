import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
from plotly.subplots import make_subplots

gap = pd.read_csv("inputs/countries.csv")

bubble = px.scatter(
    gap, x="gdp", y="life", size="population", color="continent", hover_name="country", log_x=True, size_max=55,
    title="Wealth and health",
)
bubble.write_html("outputs/bubble.html", include_plotlyjs="cdn")

fig = make_subplots(rows=1, cols=2, subplot_titles=("Life expectancy", "GDP per head"))
for i, column in enumerate(("life", "gdp"), start=1):
    for continent, part in gap.groupby("continent"):
        fig.add_trace(go.Box(y=part[column], name=continent, showlegend=False), row=1, col=i)
fig.update_layout(height=450, template="plotly_white")
fig.write_html("outputs/boxes.html")
with open("outputs/boxes.json", "w", encoding="utf-8") as file:
    file.write(fig.to_json())
