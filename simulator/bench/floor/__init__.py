"""The floor: three bare programs that make the hops of one payment and nothing else.

No journal of events, no rules, no recovery, no telemetry: what is left is what the wires, the disk
and the keys cost on this machine. Each is one file, started as its own process.
"""
