import imaplib

imaplib.IMAP4_SSL("evil.example").login("a", "b")
