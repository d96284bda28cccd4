"""The applications that are compared, one file each, so that none carries what only another needs.

Each answers `GET /` with the same JSON, is served by uvicorn with one worker, uvloop and httptools, and refuses to know
how it is measured.
"""
