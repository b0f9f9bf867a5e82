"""The tests; `docs/contributing.md` says what each folder needs.

pytest rewrites what belongs to a plugin, so that its assertions say what they compared. The package
brings a plugin, and that would be all of it, anew in each environment: twenty milliseconds for each
of six hundred modules that assert nothing.
"""

import sys

from _pytest.assertion.rewrite import AssertionRewritingHook

for finder in sys.meta_path:
    if isinstance(finder, AssertionRewritingHook):
        finder._must_rewrite.discard("dagster_pgflow")
        finder._marked_for_rewrite_cache.clear()
