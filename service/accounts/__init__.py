"""People: who they are, their passwords, their roles, and whether they may sign in.

Owns the account, the rules for names and passwords, the check of a password, and what a person tells applications.
Refuses to know about tokens, cookies and HTTP, and how a password is hashed (`crypto/passwords.py`).
Read `account.py` first, then `sign_in.py`.
"""

from service.accounts.account import PasswordHashes, User, Users, Verdict

__all__ = ["PasswordHashes", "User", "Users", "Verdict"]
