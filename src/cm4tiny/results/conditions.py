# SPDX-License-Identifier: Apache-2.0
"""Under which conditions a figure was obtained: the labels that travel with it into every table, plot, export and report.

Decided here and nowhere else: which board a name means, what a figure is called (simulated or measured, embedded or official, open or
closed), at which supply voltage and clock it holds, what the virtual board's model is off by, and what sets two results apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from cm4tiny.benchmarks.whose import whose_model
from cm4tiny.boards.boards import default_board
from cm4tiny.boards.catalogue import NOT_STRICT, board_identity, exact_board_name
from cm4tiny.boards.power import SUPPLY_V
from cm4tiny.errors import ResultsError

if TYPE_CHECKING:
    from cm4tiny.results.rounds import LoggedSession

Figure = Literal["throughput", "energy", "outputs"]
HOME_BOARD = default_board().name
"""The board that this project reproduces, and the one that the virtual board models: with the LDO, not the ``-P`` with an external SMPS."""
NOT_JUDGED = "not judged: the quality target is that of MLPerf Tiny's own model and data"
SIMULATED, MEASURED, PUBLISHED = "simulated", "measured", "published"
EMBEDDED_PREFIX = "emb_"
"""Names of this project's own samples begin with it (docs/embedded-assets.md)."""
EMBEDDED, OFFICIAL, SUBMITTERS, OWN = "embedded", "official", "submitter's", "own"
NOT_MLPERF = "not an MLPerf result"
"""Of what ran on a model that is neither MLPerf Tiny's nor of a submission."""
FIGURES: dict[str, Figure] = {"performance": "throughput", "energy": "energy", "accuracy": "outputs"}
"""Mode of a run -> the figure that it gives."""
VIRTUAL_SUFFIX = " (virtual)"
_ERRORS = Path(__file__).with_name("model_error.yaml")


def board_key(name: str) -> str:
    """What two spellings of one board have in common: ``Nucleo_X1`` and ``NUCLEO-X1`` are one, ``NUCLEO-X1-P`` is another."""
    return name.strip().removesuffix(VIRTUAL_SUFFIX).casefold().replace("_", "-")


def same_board(one: str, other: str) -> bool:
    """Whether two names mean the same board."""
    return board_key(one) == board_key(other)


def exact_name(name: str) -> str:
    """The board's name as it is printed on the board where this project knows the board, else as the text has it."""
    return exact_board_name(name) or name.strip()


def is_variant(board: str, other: str) -> bool:
    """Whether one board's name is the other's with something added, such as ``-P``: alike, but not the same board; or the same."""
    keys = board_key(board), board_key(other)
    return keys[0].startswith(keys[1]) or keys[1].startswith(keys[0])


def virtual_name(board: str) -> str:
    """How the virtual board is called where it stands next to real ones."""
    return board + VIRTUAL_SUFFIX


@cache
def model_errors(path: Path = _ERRORS) -> Mapping[str, Mapping[str, float]]:
    """The stated error of the virtual board, by figure (``model_error.yaml``).

    Raises:
        ResultsError: the table is damaged.
    """
    try:
        table: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        errors = {str(name): {str(key): float(value) for key, value in row.items()} for name, row in table.items()}
        return {name: errors[name] for name in ("throughput", "energy", "outputs")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise ResultsError(
            f"{path.name} does not state the virtual board's error",
            why=f"{type(error).__name__}: {error}",
            hint="restore it, or run in the repository:\npython tools/model_error.py",
        ) from error


def model_error(figure: Figure) -> str:
    """The model's error as a text, with sign: ``"-6.9 to +5.4 % (3.1 % rms)"``."""
    row = model_errors()[figure]
    if figure == "outputs":
        return f"equal in {row['equal']:.0f} of {row['compared']:.0f}"
    return f"{row['lowest_pct']:+g} to {row['highest_pct']:+g} % ({row['rms_pct']:g} % rms)"


@dataclass(frozen=True)
class Conditions:
    """The labels of a figure.

    Attributes:
        board: exact name.
        origin: ``"simulated"`` or ``"measured"``.
        assets: ``"embedded"``, ``"official"``, ``"submitter's"`` or ``"own"`` (a file of the user's): whose model.
        inputs: whose samples, where they are not those of the model: ``"embedded"`` of an official model, either of an own one.
        division: ``"open"``, ``"closed"``, or empty: none is claimed.
        supply_v, clock_mhz: None where nothing states it.
        figures: which figures these are, for the model's error.
        submitter: empty for own runs.
        clocked: what a simulated energy rests on: LDO or SMPS, voltage range, the blocks whose clocks ran; empty where it is not known.
        strict: False if a virtual board went on where the chip would not run the firmware.
    """

    board: str
    origin: str
    assets: str
    division: str = ""
    supply_v: float | None = None
    clock_mhz: float | None = None
    figures: tuple[Figure, ...] = ()
    inputs: str = ""
    submitter: str = ""
    clocked: str = ""
    strict: bool = True

    @property
    def simulated(self) -> bool:
        """Whether the figure was predicted on the virtual board."""
        return self.origin == SIMULATED

    @property
    def model(self) -> str:
        """Whose model and inputs."""
        return (f"{self.assets} model" if self.assets else "model not identified") + (f", {self.inputs} inputs" if self.inputs else "")

    @property
    def supply(self) -> str:
        """``"1.8 V"``."""
        return "supply voltage not stated" if self.supply_v is None else f"{self.supply_v:g} V"

    @property
    def clock(self) -> str:
        """``"120 MHz"``."""
        return "clock not stated" if self.clock_mhz is None else f"{self.clock_mhz:g} MHz"

    @property
    def division_words(self) -> str:
        """``"closed division"``."""
        return f"{self.division} division" if self.division else "no division claimed"

    @property
    def error(self) -> str:
        """The model's error for the figures, empty for what was measured."""
        if not self.simulated:
            return ""
        return "model error: " + ", ".join(f"{figure} {model_error(figure)}" for figure in self.figures)

    @property
    def marks(self) -> str:
        """The short form: what a figure must never be shown without."""
        if self.submitter and not self.simulated and EMBEDDED not in (self.assets, self.inputs):
            return PUBLISHED
        found = [SIMULATED] if self.simulated else []
        found += [] if self.strict else [NOT_STRICT]
        found += [f"{EMBEDDED} model"] if self.assets == EMBEDDED else []
        found += [f"{OWN} model"] if self.assets == OWN else []
        found += [f"{EMBEDDED} inputs"] if self.inputs == EMBEDDED else []
        found += ["open division"] if self.division == "open" else []
        return ", ".join(found) or MEASURED

    @property
    def words(self) -> tuple[str, ...]:
        """All labels, in the order in which they are shown everywhere."""
        origin = f"{self.origin} by the submitter" if self.submitter and not self.simulated else self.origin
        origin += "" if self.strict else f" ({NOT_STRICT})"
        clocked = self.clocked if self.simulated and "energy" in self.figures else ""
        judged = NOT_MLPERF if self.assets == OWN else ""
        parts = (origin, self.model, judged, self.board, self.supply, self.clock, self.division_words, self.error, clocked)
        return tuple(part for part in parts if part)

    @property
    def text(self) -> str:
        """All labels as one text."""
        return ", ".join(self.words)

    def as_json(self) -> dict[str, Any]:
        """The labels in a report or a record."""
        return {
            "board": self.board,
            "figures": self.origin,
            "model": self.assets or "not identified",
            "inputs": self.inputs or self.assets or "not identified",
            "division": self.division or "none claimed",
            "supply_v": self.supply_v,
            "clock_mhz": self.clock_mhz,
            "model_error": self.error.removeprefix("model error: "),
            "text": self.text,
            **({"clocked": self.clocked} if self.clocked else {}),
        }


def session_conditions(
    sessions: Iterable[LoggedSession],
    *,
    board: str,
    division: str,
    submitter: str,
    supply_v: float | None = None,
    clock_mhz: float | None = None,
) -> Conditions:
    """The labels of a result in a submission's tree: the sessions' own marks say what is simulated and whose samples were used."""
    listed = list(sessions)
    simulated = any(session.simulated or (session.printed is not None and session.printed.simulated) for session in listed)
    embedded = any(name.startswith(EMBEDDED_PREFIX) for session in listed for name in _inputs(session))
    return Conditions(
        board=exact_name(board),
        origin=SIMULATED if simulated else MEASURED,
        assets=EMBEDDED if embedded else OFFICIAL if division == "closed" else SUBMITTERS,
        division=division,
        supply_v=supply_v,
        clock_mhz=clock_mhz,
        figures=tuple(FIGURES[mode] for mode in FIGURES if any(session.mode == mode for session in listed)),
        submitter=submitter,
    )


def _inputs(session: LoggedSession) -> tuple[str, ...]:
    return session.scores.files if session.scores is not None else tuple(window.file for window in session.windows)


def differences(run: Conditions, other: Conditions, *, energy: bool) -> tuple[str, ...]:
    """What sets a result apart from a run, so that their figures must not be compared without saying so; empty if nothing does.

    Args:
        energy: whether energy is compared too, which depends on the supply voltage; throughput does not.
    """
    found = [] if same_board(run.board, other.board) else [f"another board: {other.board}"]
    if None not in (run.clock_mhz, other.clock_mhz) and run.clock_mhz != other.clock_mhz:
        found.append(f"another clock: {other.clock}")
    if energy and run.supply_v is not None and run.supply_v != other.supply_v:
        found.append(other.supply if other.supply_v is None else f"another supply voltage: {other.supply}")
    return tuple(found)


def assets_of_model(sha256: str) -> str:
    """Whose model a file is, by its hash; empty for any other model."""
    return whose_model(sha256)


def run_conditions(report: Mapping[str, Any], entries: Mapping[str, Any] | list[Mapping[str, Any]]) -> Conditions:
    """The labels of one entry of a report, or of several that are shown as one result (a benchmark's modes).

    Board, clock and supply voltage are what the run recorded. Reports of earlier versions recorded none of them: there the cycle count
    gives the clock, and the voltage is the one that simulated energy holds for.
    """
    listed = [entries] if isinstance(entries, Mapping) else entries
    rows = [entry for entry in listed if entry]
    simulated = any(entry.get("simulated", False) for entry in rows)
    own = any(entry.get("model") == OWN for entry in rows)
    data = EMBEDDED if report["assets"] == EMBEDDED or any(entry.get("inputs") == EMBEDDED for entry in rows) else OFFICIAL
    assets = EMBEDDED if report["assets"] == EMBEDDED else OFFICIAL
    return Conditions(
        board=next((str(entry["board_name"]) for entry in rows if entry.get("board_name")), board_identity(report["board"]).name),
        origin=SIMULATED if simulated else MEASURED,
        assets=OWN if own else assets,
        division="open" if any(entry.get("division") == "open" for entry in rows) else "",
        supply_v=next((float(entry["supply_v"]) for entry in rows if entry.get("supply_v")), SUPPLY_V if simulated else None),
        clock_mhz=next((clock for entry in rows if (clock := _clock_mhz(report, entry)) is not None), None),
        figures=tuple(FIGURES[mode] for mode in FIGURES if any(entry.get("mode") == mode for entry in rows)),
        strict=not any(entry.get("strict") is False for entry in rows),
        clocked=next((str(entry["clocked"]) for entry in rows if entry.get("clocked")), ""),
        inputs=data if own or data != assets else "",
    )


def _clock_mhz(report: Mapping[str, Any], entry: Mapping[str, Any]) -> float | None:
    if entry.get("clock_mhz"):
        return float(entry["clock_mhz"])
    same = (e for e in (entry, *report.get("results", [])) if e.get("benchmark") == entry.get("benchmark"))
    counted = next((e for e in same if e.get("cycles_per_inference") and e.get("throughput_inf_per_s")), None)
    return None if counted is None else float(round(counted["cycles_per_inference"] * counted["throughput_inf_per_s"] / 1e6))
