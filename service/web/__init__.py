"""HTTP: routes parse, call one room and render; guards decide who comes in; one module turns refusals into answers.

Owns status codes, headers, cookies and pages. Refuses to decide anything that a room decides. Read `security.py`
first, then `errors.py`, then any route file: each is a resource.
"""
