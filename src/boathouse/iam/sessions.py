"""The cookie of the page's session."""

from fastapi import Response

SESSION_COOKIE = "boathouse_session"


def set_session_cookie(response: Response, value: str, seconds: int, *, secure: bool) -> None:
    """Give the browser a session."""
    response.set_cookie(SESSION_COOKIE, value, max_age=seconds, httponly=True, samesite="strict", secure=secure)
