from pydantic import BaseModel, ImportString


class M(BaseModel):
    f: ImportString


M(f="os.system").f("id")
