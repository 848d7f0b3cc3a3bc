# SPDX-License-Identifier: Apache-2.0
"""The mutation campaign on evidence: every field of every JSON file and every number of every text file of a submission, changed.

``sites`` lists what can be mutated, ``neutral`` says which mutations touch neither a claim nor its evidence, ``judge`` asks the audit,
``campaign`` chooses and counts. ``tools/evidence_campaign.py`` is its command line.
"""
