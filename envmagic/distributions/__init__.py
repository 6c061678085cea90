"""Import names and the distributions they belong to: installed ones, and known ones."""

from envmagic.distributions.index import Distribution, Index, index_of
from envmagic.distributions.known import Known, known
from envmagic.distributions.mistaken import NAMESAKES, meant_by, meant_distribution
from envmagic.distributions.resolve import Evidence, Resolution, Resolver, is_provided, is_standard

__all__ = [
    "NAMESAKES",
    "Distribution",
    "Evidence",
    "Index",
    "Known",
    "Resolution",
    "Resolver",
    "index_of",
    "is_provided",
    "is_standard",
    "known",
    "meant_by",
    "meant_distribution",
]
