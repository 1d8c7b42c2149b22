"""Pure data: what a region is, what was asked of it, what happened, what was judged. Knows no other module of the package."""
