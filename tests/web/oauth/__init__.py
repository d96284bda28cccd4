"""The endpoints of OAuth and OpenID Connect over the shipped application."""
