"""The room simulator.auditor."""
