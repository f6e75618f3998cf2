import logging

logging.os.popen("id")
