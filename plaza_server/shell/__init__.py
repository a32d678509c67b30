"""The plaza's asyncio side: resolver runner and committer thread."""
