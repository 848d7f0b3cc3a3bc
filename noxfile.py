# SPDX-License-Identifier: Apache-2.0
"""What a change is checked with: ``nox`` runs lint, types and unit tests in the environment that is active (CONTRIBUTING.md)."""

from __future__ import annotations

import nox

nox.options.sessions = ["lint", "types", "unit"]
nox.options.default_venv_backend = "none"

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]


@nox.session
def lint(session: nox.Session) -> None:
    """Style and format."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    session.run("mypy")


@nox.session
def unit(session: nox.Session) -> None:
    """Tests that need neither a compiler for the board nor CM."""
    session.run("pytest", "-q", "-n", "auto", "tests/unit", *session.posargs)


@nox.session(name="all")
def whole(session: nox.Session) -> None:
    """Every test of the ordinary run: what CI runs."""
    session.run("pytest", "-q", "-n", "auto", *session.posargs)


@nox.session(name="long")
def long_run(session: nox.Session) -> None:
    """Tests that take minutes."""
    session.run("pytest", "-q", "-n", "auto", "-m", "long", *session.posargs)


@nox.session
def upstream(session: nox.Session) -> None:
    """Tests against clones of upstream repositories: CM4TINY_UPSTREAM names their folder."""
    session.run("pytest", "-q", "-m", "upstream", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The manual as a site, in ``site/``; a broken link or a page outside the navigation is an error."""
    session.run("mkdocs", "build", "--strict", "--quiet")


@nox.session(python=PYTHONS, venv_backend="virtualenv")
def pythons(session: nox.Session) -> None:
    """Unit tests on each Python that is installed here, with the pinned packages."""
    session.install("--require-hashes", "--only-binary=:all:", "-r", "requirements/dev.txt")
    session.install("--no-deps", "--no-build-isolation", "-e", ".")
    session.run("pytest", "-q", "-n", "auto", "tests/unit", *session.posargs)
