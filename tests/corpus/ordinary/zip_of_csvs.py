import io
import zipfile

import pandas as pd

frames = {}
with zipfile.ZipFile("inputs/export.zip") as archive:
    for info in archive.infolist():
        if info.filename.endswith(".csv"):
            with archive.open(info) as member:
                frames[info.filename] = pd.read_csv(io.TextIOWrapper(member, "utf-8"))

for name, frame in frames.items():
    print(f"{name:40s}{len(frame):>8d}{frame.shape[1]:>5d}")

with zipfile.ZipFile("outputs/cleaned.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for name, frame in frames.items():
        archive.writestr(name, frame.drop_duplicates().to_csv(index=False))
