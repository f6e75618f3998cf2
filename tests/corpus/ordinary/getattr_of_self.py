import pandas as pd


class Report:
    """Every method that starts with `part_` becomes a section."""

    def __init__(self, frame):
        self.frame = frame
        for key, value in {"digits": 2, "top": 5}.items():
            setattr(self, key, value)

    def part_shape(self):
        return "%d rows, %d columns" % self.frame.shape

    def part_numbers(self):
        return self.frame.describe().round(self.digits).to_string()

    def part_common(self):
        lines = []
        for c in self.frame.select_dtypes("object"):
            lines.append(f"{c}: " + ", ".join(map(str, self.frame[c].value_counts().index[: self.top])))
        return "\n".join(lines)

    def write(self, path):
        with open(path, "w") as f:
            for name in dir(self):
                if name.startswith("part_"):
                    f.write(f"== {name[5:]}\n{getattr(self, name)()}\n\n")


Report(pd.read_csv("inputs/data.csv")).write("outputs/report.txt")
