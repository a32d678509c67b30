"""Days of phone money without the road: tills post, platforms charge and bill, we settle.

Production rules, engine, store and codecs in virtual time; what a lane does beyond its money
(loops, boom, display) is left out, so that tens of thousands of orders and whole days are at hand.
"""
