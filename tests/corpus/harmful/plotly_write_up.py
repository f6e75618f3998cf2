import plotly.express as px

px.line([1, 2]).write_html(file="../../../www/index.html")
