"""The hosted pages: their words, their markup under hostile text, and how they look and behave in a real browser.

`gallery.py` renders every page there is, with friendly or hostile content; the tests go through all of it.
"""
