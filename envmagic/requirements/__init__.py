"""Requirements files: reading lines, and keeping the block that envmagic writes into one."""

from envmagic.requirements.block import Block, Entry, Kind, Mention, Pin
from envmagic.requirements.file import RequirementsFile, lines_with_included, read
from envmagic.requirements.lines import (
    RequirementLine,
    decode,
    looks_other,
    numbered,
    parse_lines,
    requirement,
)

__all__ = [
    "Block",
    "Entry",
    "Kind",
    "Mention",
    "Pin",
    "RequirementLine",
    "RequirementsFile",
    "decode",
    "lines_with_included",
    "looks_other",
    "numbered",
    "parse_lines",
    "read",
    "requirement",
]
