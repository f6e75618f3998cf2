from sqlalchemy import create_engine

create_engine("postgresql://u:p@evil.example/db").connect()
