import zipfile

zipfile.ZipFile("inputs/a.zip").extractall("/")
