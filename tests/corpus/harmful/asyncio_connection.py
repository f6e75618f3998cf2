import asyncio


async def main():
    r, w = await asyncio.open_connection("203.0.113.9", 80)
    w.write(open("inputs/data.csv", "rb").read())


asyncio.run(main())
