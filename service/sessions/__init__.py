"""Sessions: one sign-in on one device, its refresh family, rotation, reuse and its end.

Owns the refresh token's form (`refresh_token.py`), the table of what a presented one leads to (`rotation.py`) and the
end of a session (`ending.py`). Refuses to know how a person proved who they are, and which stores keep all this.
Read `session.py` first, then `rotation.py`.
"""
