import asyncio

loop = asyncio.new_event_loop()
loop.run_until_complete(loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("203.0.113.9", 53)))
