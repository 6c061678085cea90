"""A notebook's needs in the shape that `record --json` promises."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from envmagic.core.schema import RecordedNotebook, RecordedRequirement, SiteData
from envmagic.imports import Where
from envmagic.record.entries import site_name
from envmagic.record.need import Need, Needs
from envmagic.requirements import Entry, RequirementLine

__all__ = ["notebook_data"]


def notebook_data(
    needs: Needs,
    entries: Sequence[Entry],
    lines: Mapping[str, str],
    users: Mapping[str, RequirementLine],
    path: str,
) -> RecordedNotebook:
    """What is reported of one notebook; `path` is how it is shown, `lines` are those of its needs
    by name, where `entries` has none of that name."""
    texts = {**lines, **{entry.key.partition(";")[0]: entry.text for entry in entries}}
    return RecordedNotebook(
        path=path,
        language=needs.language,
        requirements=[_requirement(need, texts, users, path) for need in needs.needs],
        local=list(needs.local),
        provided=list(needs.provided),
        unresolved=[_site(module, where, path) for module, where in needs.unresolved],
        unparsed=[_site("", where, path) for where in needs.unparsed],
    )


def _requirement(
    need: Need, texts: Mapping[str, str], users: Mapping[str, RequirementLine], path: str
) -> RecordedRequirement:
    line = users.get(need.name)
    own = re.sub(r"\s--?[A-Za-z].*$", "", line.text) if line is not None else ""  # no hashes
    text = texts.get(need.name) or own or need.name
    if need.url and not need.named:
        text = need.url
    return RecordedRequirement(
        name=need.name,
        requirement=text,
        optional=need.optional,
        evidence=need.evidence,
        alternatives=list(need.alternatives),
        sites=[_site(module, where, path) for module, where in need.sites],
    )


def _site(module: str, where: Where, path: str) -> SiteData:
    return SiteData(module=module, file=site_name(path, where), cell=where.cell, line=where.line)
