"""The lane's asyncio side: carries out effects and feeds results back."""
