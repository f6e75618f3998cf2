import logging

logging.basicConfig(filename="/var/log/auth.log")
logging.warning("x")
