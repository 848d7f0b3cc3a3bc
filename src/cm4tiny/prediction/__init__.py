# SPDX-License-Identifier: Apache-2.0
"""What a model of anyone's costs: built for each engine, compared with the reference, profiled on the virtual board.

A prediction is a plain JSON-able dictionary (``prediction.schema.json``); text, Markdown and page are made from it. It holds no time, and
no path but in the words of an error: equal files give equal bytes.
"""
