"""The exam of circuit breakers: eleven things that a breaker has to do, or must not do."""
