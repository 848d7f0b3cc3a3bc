# SPDX-License-Identifier: Apache-2.0
"""``cm run/find/add/test/doc/lint script``: hands over to the engine in the package cm4tiny."""

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
        from cm4tiny.resolver.adapter.command import run_automation

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
        from cm4tiny.resolver.adapter.actions import search_automation

        return search_automation(self, i)

    def add(self, i):
        """
        Makes a new script.

        Args:
          (CM input dict):

          (artifact) (str): [repository:]alias
          tags (str): tags that no other script has together
          (script_name) (str): a native script to copy
          (json) (bool): write _cm.json instead of _cm.yaml

        Returns:
           (CM return dict):

           * return (int): 0, or > 0 with error (str)
           * path (str), meta (dict)
        """
        from cm4tiny.resolver.adapter.actions import add_script

        return add_script(self, i)

    def test(self, i):
        """
        Runs what the key "tests" of the metas lists.

        Args:
          (CM input dict):

          (tags), (artifact) (str): which scripts
          (test_input_index) (str): N for the N-th input, N+ for all from there
          (test_input_id) (str): the input with this id

        Returns:
           (CM return dict):

           * return (int): 0, or > 0 with error (str) if one of the runs failed
           * list (list): alias, tags, return and error of each run
        """
        from cm4tiny.resolver.adapter.actions import test_scripts

        return test_scripts(self, i)

    def doc(self, i):
        """
        Writes reference pages from metas.

        Args:
          (CM input dict):

          (tags), (artifact) (str): which scripts
          (output_dir) (str): a folder for one file per script; printed otherwise

        Returns:
           (CM return dict):

           * return (int): 0, or > 0 with error (str)
        """
        from cm4tiny.resolver.adapter.actions import document_scripts

        return document_scripts(self, i)

    def lint(self, i):
        """
        Checks metas without running anything.

        Args:
          (CM input dict):

          (tags), (artifact) (str): which scripts
          (path) (str): a folder with script/, held to the rules of this project
          (strict) (bool): hold all scripts to the rules of this project

        Returns:
           (CM return dict):

           * return (int): 0, or > 0 with error (str) if there are problems
           * list (list): the problems
        """
        from cm4tiny.resolver.adapter.actions import lint_scripts

        return lint_scripts(self, i)
