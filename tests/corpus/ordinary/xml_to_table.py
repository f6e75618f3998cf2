import xml.etree.ElementTree as ET

import pandas as pd

root = ET.parse("inputs/invoices.xml").getroot()
ns = {"i": "urn:example:invoice"}
rows = []
for invoice in root.findall(".//i:invoice", ns):
    for line in invoice.findall("i:line", ns):
        rows.append(
            {
                "invoice": invoice.get("id"),
                "sku": line.findtext("i:sku", namespaces=ns),
                "quantity": float(line.findtext("i:quantity", "0", ns)),
                "price": float(line.findtext("i:price", "0", ns)),
            }
        )
lines = pd.DataFrame(rows)
lines["total"] = lines["quantity"] * lines["price"]
print(lines.groupby("invoice")["total"].sum().describe())
lines.to_csv("outputs/lines.csv", index=False)
