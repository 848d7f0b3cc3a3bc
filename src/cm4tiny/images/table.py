# SPDX-License-Identifier: Apache-2.0
"""The published images: which file of which round, how its serial line is set, and what was published for it (``images.yaml``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cm4tiny.benchmarks.tables import load_table
from cm4tiny.boards.boards import default_board
from cm4tiny.digests import file_sha256
from cm4tiny.errors import AssetError, HashMismatchError, UsageError, nearest
from cm4tiny.results.published import PublishedResult, published_results

_FOLDER = Path(__file__).resolve().parent
HOME = default_board().key
"""The board whose throughput the virtual board predicts."""


@dataclass(frozen=True)
class PublishedImage:
    """One firmware image of a round.

    Attributes:
        set: what belongs together, e.g. ``"bosch-v1.2"``.
        mode: ``"performance"`` or ``"energy"``.
        file: path in the repository of the round.
        baud, uart, hclk_hz: what the image sets, read back from the chip's registers.
        board: that it was made for, by the name of its description.
        published: the result's folder, the key into :func:`cm4tiny.results.published.published_results`; empty if there is none.
        accuracy_log: path of the published accuracy run's log with every ``m-results``, empty if it is not compared.
        streaming_result: path of the published streaming run's summary, empty for other benchmarks.
    """

    set: str
    round: str
    submitter: str
    benchmark: str
    mode: str
    file: str
    sha256: str
    baud: int
    uart: str
    hclk_hz: int
    published: str = ""
    accuracy_log: str = ""
    streaming_result: str = ""
    board: str = HOME

    @property
    def id(self) -> str:
        """``"bosch-v1.2-kws"``, ``"st-v1.3-ad-energy"``."""
        return f"{self.set}-{self.benchmark}" + ("-energy" if self.mode == "energy" else "")

    @property
    def model_id(self) -> str:
        """What the image must answer to ``profile``."""
        return f"{self.benchmark}01"

    def result(self) -> PublishedResult | None:
        """The published result, if there is one."""
        return next((row for row in published_results() if row.source == self.published), None) if self.published else None

    def locate(self, checkout: Path) -> Path:
        """The image in a checkout of its round.

        Raises:
            AssetError: it is not there. HashMismatchError: it is another file.
        """
        path = checkout / self.file
        if not path.is_file():
            raise AssetError(
                f"the image {self.id} is not in {checkout}",
                why=f"there is no {self.file}",
                hint=f"give a checkout of mlcommons/tiny_results_{self.round}, or run get,mlperf,tiny,published-images,_{self.set}",
            )
        found = file_sha256(path)
        if found != self.sha256:
            raise HashMismatchError(
                f"{path} is not the published image {self.id}",
                why=f"its sha256 is {found}, the published file's {self.sha256}",
                hint="check the repository out again at the pinned commit; to run another file use --image=FILE",
            )
        return path


def published_images(board: str = HOME) -> tuple[PublishedImage, ...]:
    """The images of the table for a board. Raises as :func:`all_images`."""
    return tuple(image for image in all_images() if image.board == board)


@cache
def all_images() -> tuple[PublishedImage, ...]:
    """The images of the table, for whatever board.

    Raises:
        AssetError: the table is damaged, or has an id twice.
    """
    table = load_table(_FOLDER / "images.yaml", _FOLDER / "images.schema.json")
    found = tuple(PublishedImage(**row) for row in table["images"])
    if len({image.id for image in found}) != len(found):
        raise AssetError("images.yaml has an image twice", hint="restore the table from the repository")
    return found


def image_sets() -> tuple[str, ...]:
    """The names of the sets, in the order of the table."""
    return tuple(dict.fromkeys(image.set for image in all_images()))


def require_set(set_name: str) -> None:
    """Raises UsageError if there is no set of this name."""
    if set_name not in image_sets():
        hint = nearest(set_name, image_sets()) or f"choose one of {', '.join(image_sets())}"
        raise UsageError(f"there is no set of images called '{set_name}'", hint=hint)


def images_of(set_name: str, *, benchmark: str = "all", mode: str = "performance") -> tuple[PublishedImage, ...]:
    """The images of a set, of one benchmark or of all, for a mode.

    Raises:
        UsageError: there is none.
    """
    require_set(set_name)
    in_set = [image for image in all_images() if image.set == set_name]
    found = tuple(image for image in in_set if benchmark in ("all", image.benchmark) and image.mode == mode)
    if not found:
        has = ", ".join(f"{image.benchmark} ({image.mode})" for image in in_set)
        raise UsageError(f"{set_name} has no image of {benchmark} for {mode}", why=f"it has {has}", hint="choose one of these")
    return found
