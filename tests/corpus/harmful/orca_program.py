import plotly.io as pio

pio.orca.config.executable = "/tmp/evil"
