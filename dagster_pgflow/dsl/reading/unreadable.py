"""Why a file cannot be read."""


class Unreadable(Exception):
    """Raised by readers and caught by `document`, which makes it a `Problem`.

    Args:
        place: Where in the file, such as `line 3`.
        message: One sentence.
    """

    def __init__(self, place: str, message: str) -> None:
        self.place = place
        super().__init__(message)
