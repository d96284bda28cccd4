"""Programs in JavaScript that tests run: pages in Chromium, and clients of OAuth that others wrote.

Owns the packages and their lock, which `run.py test` installs, and how a program is run: a question as JSON on its
standard input, an answer as JSON on its standard output. Knows nothing of what is asked. Read `programs.py` first.
"""
