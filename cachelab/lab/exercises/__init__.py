"""The experiments behind the exercises, a module for each chapter: `EXERCISES` maps names to them."""

__all__: list[str] = []
