"""What people see in a browser: templates, languages, stylesheets, scripts, and how a page is answered.

Owns the look, the words (`catalogue/`), the content security policy, forms and the files that pages load, all from our
own address and none of it inline. Refuses to decide anything: routes elsewhere say what a page is for, and call its
render function here. Every page works without JavaScript, but for the API documentation. Read `page.py` first, then
`sign_in.py` as an example.
"""

from service.web.pages.consent import consent_page
from service.web.pages.device import device_confirm_page, device_done_page, device_page
from service.web.pages.form_post import form_post_page
from service.web.pages.language import Locale, locale_of
from service.web.pages.page import page
from service.web.pages.problem import PageRoute, Problem, error_page
from service.web.pages.sign_in import logout_confirm_page, sign_in_page, signed_in_page, signed_out_page

__all__ = [
    "Locale",
    "PageRoute",
    "Problem",
    "consent_page",
    "device_confirm_page",
    "device_done_page",
    "device_page",
    "error_page",
    "form_post_page",
    "locale_of",
    "logout_confirm_page",
    "page",
    "sign_in_page",
    "signed_in_page",
    "signed_out_page",
]
