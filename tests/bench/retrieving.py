"""Ask for each job by its id, 32 at once: `python retrieving.py BASE_URL FILE_OF_IDS`."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter

from openai import AsyncOpenAI

AT_ONCE = 32


async def main(base_url: str, path: str) -> None:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as a script would have it
        ids = file.read().split()
    turn = asyncio.Semaphore(AT_ONCE)
    async with AsyncOpenAI(api_key="sk-bench", base_url=base_url) as client:

        async def status(job_id: str) -> str:
            async with turn:
                return (await client.fine_tuning.jobs.retrieve(job_id)).status

        found = Counter(await asyncio.gather(*map(status, ids)))
    print("Jobs:", ", ".join(f"{number} {status}" for status, number in found.items()))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
