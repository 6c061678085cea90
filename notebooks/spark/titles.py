"""How titles are told apart: a module of this notebook's own."""

from slugify import slugify


def key(title: str) -> str:
    return slugify(title)
