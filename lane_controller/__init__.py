"""The program of one lane: core decides, engine promises, shell touches."""
