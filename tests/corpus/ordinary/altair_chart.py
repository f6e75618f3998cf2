import altair as alt
import pandas as pd

alt.data_transformers.disable_max_rows()
cars = pd.read_json("inputs/cars.json")
brush = alt.selection_interval()

points = (
    alt.Chart(cars)
    .mark_point()
    .encode(
        x="Horsepower:Q",
        y="Miles_per_Gallon:Q",
        color=alt.condition(brush, "Origin:N", alt.value("lightgray")),
        tooltip=["Name", "Year"],
    )
    .add_params(brush)
)
bars = alt.Chart(cars).mark_bar().encode(y="Origin:N", x="count()", color="Origin:N").transform_filter(brush)
chart = points & bars
chart.save("outputs/cars.html")
chart.save("outputs/cars.json")
