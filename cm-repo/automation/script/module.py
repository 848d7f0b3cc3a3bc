"""``cm run script`` and ``cm find script``: hands over to the engine in the package cm4tiny."""

import sys
from pathlib import Path

from cmind.automation import Automation

_SOURCES = Path(__file__).resolve().parents[3] / "src"
if (_SOURCES / "cm4tiny" / "__init__.py").is_file() and str(_SOURCES) not in sys.path:
    sys.path.insert(0, str(_SOURCES))


class CAutomation(Automation):
    """The script automation."""

    def __init__(self, cmind, automation_file):
        super().__init__(cmind, __file__)

    def run(self, i):
        """
        Runs a script with its dependencies, or takes its result from the cache.

        Args:
          (CM input dict):

          tags (str): tags of the script, with variations (_x) among them
          (artifact) (str): alias or uid of the script instead of tags
          ...: see docs/engine.md, or cm run script --tags=... --help

        Returns:
           (CM return dict):

           * return (int): 0, or > 0 with error (str)
           * env, new_env, state, new_state (dict), deps (list), version (str), cached (bool)
        """
        from cm4tiny.engine.cm_edge import run_automation

        return run_automation(self, i)

    def search(self, i):
        """
        Finds scripts by tags and variations.

        Args:
          (CM input dict):

          tags (str): tags, with variations (_x) among them

        Returns:
           (CM return dict):

           * return (int): 0, or > 0 with error (str)
           * list (list): cmind artifacts
        """
        from cm4tiny.engine.cm_edge import search_automation

        return search_automation(self, i)
