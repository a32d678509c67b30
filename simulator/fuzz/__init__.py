"""Fuzzing in virtual time: seeds to worlds, many seeds in processes, failing ones made smaller."""
