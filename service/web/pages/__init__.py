"""What people see in a browser: templates, stylesheets, scripts, and how a page is answered.

Owns the look, the content security policy, forms and the files that pages load, all from our own address and none of it
inline. Refuses to decide anything: `setup.py` and `docs.py` beside this room say what a page is for. Every page works
without JavaScript, but for the API documentation. Read `page.py` first.
"""

from service.web.pages.page import PageRoute, page

__all__ = ["PageRoute", "page"]
