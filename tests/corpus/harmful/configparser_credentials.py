import configparser

c = configparser.ConfigParser()
c.read("/root/.aws/credentials")
print(c["default"]["aws_secret_access_key"])
