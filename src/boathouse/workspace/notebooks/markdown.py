"""Markdown cells as HTML. HTML in them is shown as text, and links lead to no script."""

from markdown_it import MarkdownIt

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def to_html(text: str) -> str:
    """Markdown as HTML that is safe to show."""
    return str(_MARKDOWN.render(text))
