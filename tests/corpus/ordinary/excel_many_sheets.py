from pathlib import Path

import openpyxl
import pandas as pd
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter

sheets = pd.read_excel("inputs/budget.xlsx", sheet_name=None, header=0)
frames = [frame.assign(department=name) for name, frame in sheets.items() if not name.startswith("_")]
budget = pd.concat(frames, ignore_index=True)
totals = budget.groupby("department")[["planned", "actual"]].sum()
totals["over"] = totals["actual"] - totals["planned"]

target = Path("outputs", "budget_summary.xlsx")
totals.to_excel(target)
book = openpyxl.load_workbook(target)
sheet = book.active
for cell in sheet[1]:
    cell.font = Font(bold=True)
for row in range(2, sheet.max_row + 1):
    if (sheet.cell(row, 4).value or 0) > 0:
        sheet.cell(row, 4).fill = PatternFill("solid", fgColor="FFC7CE")
for column in range(1, sheet.max_column + 1):
    sheet.column_dimensions[get_column_letter(column)].width = 16
book.save(target)
print(totals)
