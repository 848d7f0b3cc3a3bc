# SPDX-License-Identifier: Apache-2.0
"""Rules with a limit: what lies just within it breaks nothing, what lies just beyond it does."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cm4tiny.results.audit import RULES
from cm4tiny.results.rounds.model import LoggedEnergyWindow, LoggedSession, LoggedWindow, Printed, PrintedWindow, Scores
from cm4tiny.results.rounds.table import benchmark_facts

Views = Callable[[Any], SimpleNamespace]


def session(mode: str = "performance", benchmark: str = "kws", *, runner: str = "eembc", text: str = "", **parts: Any) -> SimpleNamespace:
    """A session as rules see it."""
    logged = LoggedSession(runner, mode, benchmark, "folder", **parts)  # type: ignore[arg-type]
    files = SimpleNamespace(log="log.txt", results="results.txt")
    return SimpleNamespace(
        mode=mode, benchmark=benchmark, path="folder", session=logged, facts=benchmark_facts(benchmark), results_text=text, files=files
    )


def result(*sessions: SimpleNamespace, benchmark: str = "kws", division: str = "closed", checks: tuple[Any, ...] = ()) -> SimpleNamespace:
    by_mode = {view.mode: view for view in sessions}
    return SimpleNamespace(
        session=by_mode.get, sessions=sessions, checks=checks, result=SimpleNamespace(benchmark=benchmark, division=division)
    )


def window(seconds: float | None = 10.0, iterations: int = 100, *, number: int = 1, **more: Any) -> LoggedWindow:
    lap_us = None if seconds is None else (0, round(seconds * 1e6))
    return LoggedWindow(number, more.pop("file", ""), iterations, more.pop("lap_us", lap_us), seconds, **more)


def energy(seconds: float = 10.0, iterations: int = 100, uj: float = 1e5) -> LoggedEnergyWindow:
    return LoggedEnergyWindow(0.0, seconds, iterations, uj)


def scores(values: Any) -> Scores:
    table = np.asarray(values, dtype=np.float64)
    count = len(table)
    return Scores(tuple(f"{n}.bin" for n in range(count)), table, np.ones(count, np.int64), np.arange(count))


def found(rule: str, view: SimpleNamespace) -> list[str]:
    return [violation.message for violation in RULES[rule].check(view)]


def speeds(iterations: int) -> SimpleNamespace:
    return result(session(windows=(window(iterations=10_000),)), session("energy", energy=(energy(iterations=iterations),)))


def hosts(device_s: float, **more: Any) -> Views:
    return lambda host_s: session(windows=(window(device_s, host_s=host_s),), **more)


def devices(host_s: float, iterations: int = 90, warmups: int = 10) -> Views:
    return lambda s: session(runner="mlc", windows=(window(s, iterations, host_s=host_s, warmups=warmups),))


def printed(**claims: str) -> SimpleNamespace:
    return session(printed=Printed(**claims))  # type: ignore[arg-type]


def claims(name: str) -> Views:
    return lambda text: printed(**{name: text})


def medians(mode: str, *values: str) -> Views:
    field, words = ("energy", "energy_per_inference") if mode == "energy" else ("throughput", "throughput")
    rows = tuple(PrintedWindow(n, **{words: value}) for n, value in enumerate(values, 1))
    lists = {"energy_windows" if mode == "energy" else "windows": rows}
    return lambda claim: session(mode, printed=Printed(**{field: claim}, **lists))  # type: ignore[arg-type]


def printed_speed(value: float, iterations: str = "100") -> Views:
    """``results.txt`` next to a log with a window of this throughput."""
    logged = LoggedWindow(1, "", 100, None, None, printed_throughput=value)
    return lambda text: session(printed=Printed(windows=(PrintedWindow(1, iterations, "", text),), repeats=1), windows=(logged,))


def printed_energy(text: str) -> Views:
    return lambda uj: session(
        "energy", printed=Printed(energy_windows=(PrintedWindow(1, energy_per_inference=text),)), energy=(energy(uj=uj * 100),)
    )


def printed_length(text: str) -> Views:
    return lambda s: session("energy", printed=Printed(energy_windows=(PrintedWindow(1, runtime=text),)), energy=(energy(s),))


def target(value: str) -> SimpleNamespace:
    row = benchmark_facts("kws")
    assert row is not None
    check = SimpleNamespace(metric=row.metric, claimed=value, recomputed="", path="folder")
    return result(checks=(check, SimpleNamespace(metric="throughput", claimed="1.0", recomputed="", path="folder")))


def detections(*counts: int) -> SimpleNamespace:
    text = "True Positives = {}, False Negatives = {}, False Positives = {}".format(*counts)
    return session(benchmark="sww", printed=Printed(detections=text))


def missed(count: int) -> SimpleNamespace:
    return result(detections(50 - count, count, 0), benchmark="sww")


def false(count: int) -> SimpleNamespace:
    return result(detections(50, 0, count), benchmark="sww")


def volts(*values: str) -> SimpleNamespace:
    sessions = tuple(session("energy", voltage_mv=value) for value in values)
    return SimpleNamespace(results=(SimpleNamespace(sessions=sessions),), path="system")


def rows(row: list[float], count: int = 10) -> SimpleNamespace:
    """An accuracy session of different answers, the last of which is this one."""
    usual = [[0.5 - n / 100, 0.5 + n / 100] for n in range(count - 1)]
    return session("accuracy", scores=scores([*usual, row]))


def log_of(size: int) -> SimpleNamespace:
    return session(log_bytes=size, begun=True, ended=True)


LIMITS: list[tuple[str, Views, list[Any], list[Any]]] = [
    # rule, what makes a view of a value, values that break nothing, values that break it
    ("windows.energy-speed", speeds, [9_501, 10_000, 10_499], [9_499, 10_501]),
    ("windows.host-clock", hosts(10.0), [9.81, 10.0, 10.19, None], [9.79, 10.21]),
    ("windows.host-clock", hosts(2.0), [1.91, 2.09], [1.89, 2.11]),
    ("windows.host-clock", hosts(2.0, simulated=True), [1.89, 2.11], []),
    ("windows.host-clock", hosts(2.0, mode="accuracy"), [1.89, 2.11], []),
    ("windows.host-clock", hosts(2.0, benchmark="sww"), [1.89, 2.11], []),
    ("windows.host-clock", hosts(0.0), [5.0], []),
    ("windows.host-clock", devices(12.0), [8.83, 12.99], [8.82, 13.01]),
    ("windows.host-clock", devices(12.0, iterations=0), [9.81, 12.99], [9.80, 13.01]),
    ("windows.count", lambda n: session(windows=(window(),) * n), [0, 5], [1, 4, 6]),
    ("windows.count", lambda n: session("accuracy", windows=(window(),) * n), [4], []),
    ("windows.count", lambda n: session("energy", energy=(energy(),) * n, windows=(window(),) * 5), [5], [4, 6]),
    ("windows.too-short", lambda s: session(windows=(window(), window(s))), [10.0, 11.0, None], [9.999]),
    ("windows.too-short", lambda s: session("energy", energy=(energy(s),)), [10.0], [9.999]),
    ("windows.too-few-inferences", lambda n: session(windows=(window(), window(iterations=n))), [0, 10, 11], [1, 9]),
    (
        "windows.inputs",
        lambda names: session(windows=tuple(window(file=n) for n in names)),
        ["a", "ab", ["a", ""], ["", ""]],
        ["aa", "aba"],
    ),
    ("windows.inputs", lambda names: session(benchmark="ad", windows=tuple(window(file=n) for n in names)), ["aa"], []),
    ("windows.other-session", printed_speed(1.0), ["1.0014", "0.9986", ""], ["1.0016", "0.9984"]),
    ("windows.other-session", printed_speed(100.0), ["100.09", "99.91"], ["100.11", "99.89"]),
    ("windows.other-session", printed_speed(100.0, "101"), [], ["100.0"]),
    ("windows.other-session", printed_speed(100.0, ""), ["100.0"], []),
    ("windows.energy-printed", printed_energy("10.00"), [9.991, 10.009], [9.989, 10.011]),
    ("windows.energy-printed", printed_energy("10.0000"), [9.9986, 10.0014], [9.9984, 10.0016]),
    ("windows.energy-printed", printed_length("10.00"), [9.991, 10.009], [9.989, 10.011]),
    ("windows.time-stamps", lambda n: session("energy", timestamps_s=(1.0,) * n), [0, 11], [10, 12]),
    ("windows.time-stamps", lambda n: session(timestamps_s=(1.0,) * n), [10], []),
    ("windows.runner-complaint", lambda text: session(text=text), ["", "at least 10 s"], ["<<<< below minimum duration"]),
    ("values.impossible", claims("top_1"), ["0", "100", "85.0"], ["-0.1", "100.1", "nan", "inf", "85,0"]),
    ("values.impossible", claims("auc"), ["0", "1", "0.85"], ["-0.01", "1.01"]),
    ("values.impossible", claims("throughput"), ["0.000002", "1000000"], ["0", "0.0000009", "1000001"]),
    ("values.impossible", claims("energy"), ["0.0011", "1000000000"], ["0.0009", "1000000001"]),
    ("values.impossible", claims("power_mw"), ["0.00011", "100000"], ["0.00009", "100001"]),
    ("values.impossible", claims("duty_cycle"), ["0", "1"], ["-0.01", "1.01"]),
    ("values.power", lambda uj: session("energy", energy=(energy(uj=uj),)), [1.001, 0.999e9], [0.999, 1.001e9]),
    ("values.power", lambda s: session("energy", energy=(energy(s),)), [0.01], [0.0, -1.0]),
    (
        "values.clock",
        lambda at: session(windows=(window(lap_us=(0, 2**31 + 9)), window(lap_us=(at, 2**32)))),
        [8, 2**31 + 9],
        [9, 2**31 + 8],
    ),
    ("values.identical-windows", lambda us: session(windows=(window(us / 1e6),) * 3), [10_000_000, 10_001_000], [10_000_001]),
    ("values.identical-windows", lambda n: session(windows=(window(10.000001),) * n), [2], [3]),
    ("values.vector-width", lambda n: session("accuracy", scores=scores(np.ones((2, n)))), [12], [11, 13]),
    ("values.not-a-number", lambda x: session("accuracy", scores=scores([[1.0, x], [x, x]])), [0.0], [np.nan, np.inf]),
    ("values.constant", lambda n: session("accuracy", scores=scores([[0.5, 0.5]] * n)), [1, 9], [10]),
    ("values.constant", rows, [[0.4, 0.6]], []),
    ("values.style", rows, [[0.4, 0.6], [-0.009, 1.009], [0.501, 0.548]], [[-0.011, 1.0], [0.0, 1.011], [0.501, 0.551], [0.5, 0.448]]),
    ("values.style", lambda n: rows([0.5, 0.6], n), [9], [10]),
    ("values.style", lambda x: session("accuracy", scores=scores([[x, 0.0]] * 9 + [[0.0, x]])), [], [1.0, 2.0, 127.0]),
    ("claims.median", medians("performance", "9.0", "10.0", "11.0"), ["10.001", "9.999"], ["10.0012", "9.9988", "11.0"]),
    ("claims.median", medians("performance", "10000.0"), ["10000.019", "9999.981"], ["10000.021", "9999.979"]),
    ("claims.median", medians("energy", "9.0", "10.0", "11.0"), ["10.001"], ["10.0012"]),
    ("claims.quality-target", target, ["90.0", "90.1"], ["89.9"]),
    ("claims.quality-target", missed, [0, 8], [9]),
    ("claims.quality-target", false, [0, 8], [9]),
    ("claims.sww-total", lambda n: detections(n, 3, 1), [47], [46, 48]),
    ("evidence.truncated", log_of, [200, 201], [0, 199]),
    ("evidence.one-voltage", lambda high: volts("3000", high, ""), ["3000", "3059", "2942"], ["3061", "2940"]),
]


@pytest.mark.parametrize(("rule", "view", "sound", "broken"), LIMITS)
def test_a_rule_holds_up_to_its_limit(rule: str, view: Views, sound: list[Any], broken: list[Any]) -> None:
    assert {str(value): found(rule, view(value)) for value in sound} == {str(value): [] for value in sound}
    assert [value for value in broken if len(found(rule, view(value))) != 1] == []


def test_the_window_that_is_furthest_off_is_named() -> None:
    view = session(windows=(window(10.0, host_s=10.5), window(10.0, host_s=10.0), window(10.0, host_s=12.0), window(10.0, host_s=9.0)))
    assert found("windows.host-clock", view) == ["3 of 4 windows: 10.000 s, by the host's clock 12.000 s"]


def test_where_windows_lack_stamps_the_medians_are_compared() -> None:
    windows = tuple(window(None, host_s=host_s) for host_s in (10.0, 99.0, 99.0))
    for lengths, wrong in (((9.0, 10.1, 10.1, 20.0), 0), ((9.0, 10.3, 10.3, 20.0), 1), ((), 0)):
        view = session("energy", windows=windows, energy=tuple(energy(s) for s in lengths))
        assert len(found("windows.host-clock", view)) == wrong
    view = session("energy", windows=(window(10.0, host_s=10.0),) * 2, energy=(energy(10.0), energy(10.0)))
    assert found("windows.host-clock", view) == []


def test_a_claim_of_the_wrong_division_is_no_breach() -> None:
    low = target("50.0")
    assert found("claims.open-below-target", low) == [] != found("claims.quality-target", low)
    low.result.division = "open"
    assert found("claims.quality-target", low) == [] != found("claims.open-below-target", low)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Median throughput is 5.0 inf./sec."], []),
        (["Median throughput is 5.0 inf./sec."] * 2, ["printed 2 times, equal values"]),
        (
            ["Median throughput is 5.0 inf./sec.", "Median throughput is 6.0 inf./sec."],
            ["printed 2 times, with different values: 5.0, 6.0"],
        ),
    ],
)
def test_a_result_is_printed_once(lines: list[str], expected: list[str]) -> None:
    view = session()
    view.claims = lambda pattern: [match[1] for line in lines if (match := pattern.search(line))]
    assert found("claims.repeated", view) == expected


def test_all_windows_of_the_last_block_are_held_against_the_log() -> None:
    def view(*texts: str, repeats: int, logged: int = 2) -> SimpleNamespace:
        windows = tuple(PrintedWindow(n, "100", "", text) for n, text in enumerate(texts, 1))
        return session(printed=Printed(windows=windows, repeats=repeats), windows=(window(10.0),) * logged)

    assert found("windows.other-session", view("10.0", "10.0", repeats=1)) == []
    assert found("windows.other-session", view("7.0", "7.0", "10.0", "10.0", repeats=2)) == []
    assert found("windows.other-session", view("10.0", "10.0", "10.0", "7.0", repeats=2)) == [
        "window 4: results.txt prints 100 inferences and 7.0 inf/s, the log holds 100 and 10.000"
    ]
    assert found("windows.other-session", view("10.0", "10.0", repeats=1, logged=1)) == ["results.txt prints 2 windows, the log holds 1"]
    assert found("windows.other-session", view(repeats=0)) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"truncated": True}, "reading the log stopped at a limit"),
        ({"begun": False}, "the log lacks its beginning"),
        ({"ended": False}, "the log lacks its end"),
    ],
)
def test_a_log_that_lacks_a_part_is_named(more: dict[str, bool], message: str) -> None:
    assert found("evidence.truncated", session(**{"log_bytes": 5000, "begun": True, "ended": True} | more)) == [message]
    unended = session(runner="mlc", log_bytes=5000, begun=True)
    assert found("evidence.truncated", unended) == [], "the MLCommons runner writes no end"


def test_windows_of_ic02_for_all_samples_are_traced_to_the_runners_file() -> None:
    """tests_performance.yaml of mlcommons/tiny: ic02 has ``loop:`` where the others have ``loop 5:``."""
    (said,) = found("windows.count", session(benchmark="ic2", windows=(window(),) * 200))
    assert said.startswith("200 windows instead of 5: ") and "tests_performance.yaml has 'loop:' for ic02" in said
    assert found("windows.count", session("energy", "ic2", energy=(energy(),) * 6)) == ["6 windows instead of 5"]
    assert found("windows.count", session(benchmark="ic", windows=(window(),) * 200)) == ["200 windows instead of 5"]


def test_where_the_log_tells_no_lengths_the_printed_windows_count() -> None:
    rows = tuple(PrintedWindow(n, "9", "9.5") for n in range(1, 6))
    for mode in ("performance", "energy"):
        claims = Printed(windows=rows) if mode == "performance" else Printed(energy_windows=rows)
        view = session(mode, windows=(window(None),) * 4, printed=claims)
        assert found("windows.count", view) == []
        assert found("windows.too-short", view) == ["5 windows below 10 s, the shortest 9.500 s"]
        assert found("windows.too-few-inferences", view) == ["5 windows with fewer than 10 inferences, the fewest 9"]
        timed = session(mode, windows=(window(None),) * 3 + (window(),), printed=claims)
        assert found("windows.count", timed) == ["4 windows instead of 5"]
        assert found("windows.count", session(mode, windows=(window(None),) * 4)) == ["4 windows instead of 5"]
