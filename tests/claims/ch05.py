"""Chapter 5 says nothing of random samples: its callers come at fixed moments, and its exam has no random numbers."""

from tests.claims.claim import Chapter

claim = Chapter("05")
