"""What all pages share: the feed of live states, its source, and the table of texts."""
