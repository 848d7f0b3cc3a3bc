# SPDX-License-Identifier: Apache-2.0
"""Files and sources from elsewhere, by hash: downloads, local mirrors, archives, pinned git commits.

Nothing is handed out whose bytes are not those that its table names. What is fetched, and under which terms, is said by the packages above
(``cm4tiny.benchmarks.official``).
"""

from cm4tiny.fetch.archives import Limits, extract
from cm4tiny.fetch.fetcher import Fetcher, Item
from cm4tiny.fetch.git import GitSource, checkout
from cm4tiny.fetch.hashes import Digest
from cm4tiny.fetch.mirror import MIRROR_VARIABLE, Mirror

__all__ = ["MIRROR_VARIABLE", "Digest", "Fetcher", "GitSource", "Item", "Limits", "Mirror", "checkout", "extract"]
