"""Values of secrets are taken out of everything that a run shows."""

import html

REDACTED = "[REDACTED]"


class Secrets:
    """The values that this run has read."""

    def __init__(self, values: list[str] | None = None) -> None:
        self.values: list[str] = list(values or [])

    def add(self, value: str) -> None:
        """Take a value out from now on; also as it stands in HTML, and each line of it."""
        forms = {value, value.strip(), html.escape(value), *(line for line in value.splitlines() if len(line) > 8)}
        self.values = sorted({*self.values, *(form for form in forms if form)}, key=len, reverse=True)

    def redact(self, text: str) -> str:
        """A text without them."""
        for value in self.values:
            if value in text:
                text = text.replace(value, REDACTED)
        return text

    def held_back(self, text: str) -> int:
        """How many characters at the end of a text may be the beginning of a value, so that they have to wait for what follows."""
        longest = max((len(value) for value in self.values), default=1) - 1
        for count in range(min(longest, len(text)), 0, -1):
            end = text[-count:]
            if any(value.startswith(end) for value in self.values if len(value) > count):
                return count
        return 0


class Filter:
    """A stream of text without the secrets, also where one comes in pieces."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._rest = ""

    def feed(self, text: str) -> str:
        """What can be shown now."""
        text = self._secrets.redact(self._rest + text)
        held = self._secrets.held_back(text)
        self._rest = text[len(text) - held :]
        return text[: len(text) - held]

    def end(self) -> str:
        """What was held back."""
        rest, self._rest = self._rest, ""
        return rest
