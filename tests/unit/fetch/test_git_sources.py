# SPDX-License-Identifier: Apache-2.0
"""Source trees at a pinned commit, from clones made by the tests; the network is never used."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from cm4tiny.errors import AssetError
from cm4tiny.fetch import GitSource, Mirror, checkout

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def commits(tmp_path: Path) -> tuple[str, str]:
    """A repository with two commits below the mirror; the second one is what its branch shows."""
    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    git(work, "init", "--quiet")
    found = []
    for text in ("first", "second"):
        (work / "sub" / "file.txt").write_text(text)
        (work / ".gitattributes").write_text("sub export-ignore\n")
        git(work, "add", ".")
        git(work, "commit", "--quiet", "-m", text)
        found.append(git(work, "rev-parse", "HEAD"))
    clone = tmp_path / "mirror" / "github" / "owner" / "repo.git"
    clone.parent.mkdir(parents=True)
    git(tmp_path, "clone", "--quiet", "--mirror", str(work), str(clone))
    return found[0], found[1]


def source(commit: str, *urls: str) -> GitSource:
    return GitSource("owner/repo", commit, urls)


def test_the_pinned_commit_is_taken_and_not_the_branch(tmp_path: Path, commits: tuple[str, str]) -> None:
    tree = checkout(source(commits[0]), mirror=Mirror(tmp_path / "mirror"), root=tmp_path / "sources", environ={})
    assert (tree / "sub" / "file.txt").read_text() == "first"
    assert json.loads((tree.parent / "source.json").read_text())["commit"] == commits[0]
    assert sorted(path.name for path in tree.parent.iterdir()) == ["sealed.json", "source.json", "src"] and not (tree / ".git").exists()


def test_the_clone_stays_as_it_was(tmp_path: Path, commits: tuple[str, str]) -> None:
    clone = tmp_path / "mirror" / "github" / "owner" / "repo.git"
    before = sorted(str(path) for path in clone.rglob("*"))
    checkout(source(commits[0]), mirror=Mirror(tmp_path / "mirror"), root=tmp_path / "sources", environ={})
    assert sorted(str(path) for path in clone.rglob("*")) == before


def test_a_tree_is_made_once(tmp_path: Path, commits: tuple[str, str]) -> None:
    tree = checkout(source(commits[0]), mirror=Mirror(tmp_path / "mirror"), root=tmp_path / "sources", environ={})
    shutil.rmtree(tmp_path / "mirror")
    assert checkout(source(commits[0]), root=tmp_path / "sources", environ={}, offline=True) == tree


def test_a_tree_without_its_record_is_made_anew(tmp_path: Path, commits: tuple[str, str]) -> None:
    tree = checkout(source(commits[0]), mirror=Mirror(tmp_path / "mirror"), root=tmp_path / "sources", environ={})
    (tree.parent / "source.json").unlink()
    (tree / "sub" / "file.txt").unlink()
    checkout(source(commits[0]), mirror=Mirror(tmp_path / "mirror"), root=tmp_path / "sources", environ={})
    assert (tree / "sub" / "file.txt").read_text() == "first"


def test_a_tree_whose_record_names_another_commit_is_made_anew(tmp_path: Path, commits: tuple[str, str]) -> None:
    tree = checkout(source(commits[0]), mirror=Mirror(tmp_path / "mirror"), root=tmp_path / "sources", environ={})
    (tree.parent / "source.json").write_text(json.dumps({"commit": commits[1]}))
    (tree / "sub" / "file.txt").write_text("second")
    checkout(source(commits[0]), mirror=Mirror(tmp_path / "mirror"), root=tmp_path / "sources", environ={})
    assert (tree / "sub" / "file.txt").read_text() == "first"


def test_a_clone_with_a_work_tree_serves_too(tmp_path: Path, commits: tuple[str, str]) -> None:
    (tmp_path / "clones").mkdir()
    (tmp_path / "work").rename(tmp_path / "clones" / "repo")
    tree = checkout(source(commits[0]), root=tmp_path / "sources", environ={"CM4TINY_UPSTREAM": str(tmp_path / "clones")}, offline=True)
    assert (tree / "sub" / "file.txt").read_text() == "first"
    assert (tmp_path / "clones" / "repo" / "sub" / "file.txt").read_text() == "second"


def test_a_commit_is_fetched_from_an_address(tmp_path: Path, commits: tuple[str, str]) -> None:
    url = (tmp_path / "work").as_uri()
    tree = checkout(source(commits[0], "file:///nowhere", url), root=tmp_path / "sources", environ={})
    assert (tree / "sub" / "file.txt").read_text() == "first"
    assert sorted(path.name for path in tree.parent.iterdir()) == ["sealed.json", "source.json", "src"]


def test_a_mirror_without_the_pinned_commit_is_a_clear_error(tmp_path: Path, commits: tuple[str, str]) -> None:
    missing = "1" * 40
    with pytest.raises(AssetError, match="at commit 111111111111 is not available") as caught:
        checkout(
            source(missing, "https://example.invalid/x.git"),
            mirror=Mirror(tmp_path / "mirror"),
            root=tmp_path / "s",
            environ={},
            offline=True,
        )
    assert f"does not have commit {missing}" in caught.value.why and "git -C" in caught.value.hint and "--mirror" in caught.value.hint
    assert [path.name for path in (tmp_path / "s").iterdir() if not path.name.endswith(".lock")] == []


def test_a_mirror_without_the_repository_is_named(tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    with pytest.raises(AssetError) as caught:
        checkout(source("1" * 40), mirror=Mirror(tmp_path / "mirror"), root=tmp_path / "s", environ={"CM_TINY_OFFLINE": "yes"})
    assert "has no github/owner/repo.git" in caught.value.why and "network must not be used" in caught.value.why


@pytest.mark.parametrize("remote", [False, True])
def test_some_paths_are_a_tree_of_their_own(tmp_path: Path, commits: tuple[str, str], remote: bool) -> None:
    urls = ((tmp_path / "work").as_uri(),) if remote else ()
    part = GitSource("owner/repo", commits[0], urls, paths=("sub",))
    mirror = None if remote else Mirror(tmp_path / "mirror")
    tree = checkout(part, mirror=mirror, root=tmp_path / "sources", environ={})
    assert [path.name for path in tree.iterdir()] == ["sub"] and (tree / "sub" / "file.txt").read_text() == "first"
    assert part.folder != source(commits[0]).folder


def test_a_path_that_the_commit_lacks_is_told(tmp_path: Path, commits: tuple[str, str]) -> None:
    part = GitSource("owner/repo", commits[0], (), paths=("nowhere",))
    with pytest.raises(AssetError, match="is not available") as caught:
        checkout(part, mirror=Mirror(tmp_path / "mirror"), root=tmp_path / "sources", environ={}, offline=True)
    assert "nowhere" in caught.value.why


def test_a_machine_without_git_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(AssetError) as caught:
        checkout(source("1" * 40), root=tmp_path)
    assert caught.value.hint == "install git"


def test_a_branch_name_is_no_commit() -> None:
    with pytest.raises(ValueError, match="not a commit"):
        GitSource("owner/repo", "main", ())
