"""The OpenID Foundation's conformance plans for providers, module by module, written as tests of our own.

`plans.py` names the modules of each plan, as the Foundation's suite has them; `test_plans.py` fails when one has no
test of its name. `relying_party.py` is the other side: it knows what discovery tells it, checks every token with a
library of somebody else's against the published keys, and uses none of our code. Read `plans.py` first.
"""
