import ssl

ssl.get_server_certificate(("evil.example", 443))
