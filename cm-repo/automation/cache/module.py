# SPDX-License-Identifier: Apache-2.0
"""``cm show cache``, ``cm find cache`` and ``cm rm cache``: hands over to the engine in the package cm4tiny."""

import sys
from pathlib import Path

from cmind.automation import Automation

_SOURCES = Path(__file__).resolve().parents[3] / "src"
if (_SOURCES / "cm4tiny" / "__init__.py").is_file() and str(_SOURCES) not in sys.path:
    sys.path.insert(0, str(_SOURCES))


class CAutomation(Automation):
    """The cache automation."""

    def __init__(self, cmind, automation_file):
        super().__init__(cmind, __file__)

    def search(self, i):
        """
        Finds cache entries.

        Args:
          (CM input dict):

          (tags) (str): tags of the entry, with variations (_x) among them
          (artifact) (str): alias or uid of the entry

        Returns:
           (CM return dict):

           * return (int): 0, or > 0 with error (str)
           * list (list): cmind artifacts
        """
        from cm4tiny.resolver.adapter.cache_actions import search_cache

        return search_cache(self, i)

    def show(self, i):
        """
        Shows cache entries.

        Args:
          (CM input dict):

          (tags) (str): tags of the entry, with variations (_x) among them
          (env) (bool): show what each entry sets

        Returns:
           (CM return dict):

           * return (int): 0, or > 0 with error (str)
           * list (list): cmind artifacts
        """
        from cm4tiny.resolver.adapter.cache_actions import show_cache

        return show_cache(self, i)

    def delete(self, i):
        """
        Removes cache entries.

        Args:
          (CM input dict):

          (tags) (str): tags of the entry, with variations (_x) among them
          (artifact) (str): alias or uid of the entry
          (f) (bool): do not ask; needed where there is no terminal

        Returns:
           (CM return dict):

           * return (int): 0, 16 if no entry fits, or another one > 0 with error (str)
           * deleted_list (list): cmind artifacts
        """
        from cm4tiny.resolver.adapter.cache_actions import remove_cache

        return remove_cache(self, i)

    def check(self, i):
        """
        Compares the digest of every stored file of the entries with these tags.

        Returns:
            (CM return dict):

            * return (int): 0, or > 0 with error (str) that names each damaged entry
            * checked (int): entries that were looked at
            * damaged (list): what is wrong with which entry
        """
        from cm4tiny.resolver.adapter.cache_check import check_cache

        return check_cache(self, i)
