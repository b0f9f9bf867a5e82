"""How a run goes on that did not come to its end: what it has done, and what is left to do."""
