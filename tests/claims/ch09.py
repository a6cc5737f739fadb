"""Chapter 9: its callers come at fixed moments, and nothing is drawn at random. So it makes no claim about a sample."""

from tests.claims.claim import Chapter

claim = Chapter("09")
