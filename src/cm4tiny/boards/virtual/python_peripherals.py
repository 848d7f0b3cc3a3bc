"""Peripherals of the Python backend: the same behaviour as ``clocks.c``, ``peripherals.c`` and ``system.c``, register by register.

The C files name the reference manual's sections; this is the slow stand-in for hosts without a C compiler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cm4tiny.boards.virtual.cycle_model import TICKS_PER_CYCLE
from cm4tiny.boards.virtual.machine import NoteKind

if TYPE_CHECKING:
    from cm4tiny.boards.virtual.python_machine import PythonMachine

WORD = 0xFFFF_FFFF


class Peripheral:
    """A register file; subclasses give registers a meaning. Offsets are of whole words."""

    def __init__(self, machine: PythonMachine, base: int, size: int) -> None:
        self.machine = machine
        self.base = base
        self.size = size
        self.reg = [0] * (size // 4)

    def read(self, offset: int) -> int:
        return self.reg[offset >> 2]

    def write(self, offset: int, value: int, mask: int) -> None:
        self.reg[offset >> 2] = (self.reg[offset >> 2] & ~mask & WORD) | value

    def reset(self) -> None:
        self.reg = [0] * (self.size // 4)


def _copy_bit(value: int, source: int, target: int) -> int:
    return (value & ~(1 << target)) | ((value >> source & 1) << target)


class Rcc(Peripheral):
    """Ready bits and the clock that follows from them."""

    HSI_HZ = 16_000_000
    HSE_HZ = 8_000_000
    MSI_HZ = (*(100_000 << n for n in range(4)), 1_000_000, 2_000_000, 4_000_000, 8_000_000, 16_000_000, 24_000_000, 32_000_000)

    def read(self, offset: int) -> int:
        value = self.reg[offset >> 2]
        if offset == 0x00:
            for enable, ready in ((0, 1), (8, 10), (16, 17), (24, 25), (26, 27), (28, 29)):
                value = _copy_bit(value, enable, ready)
        elif offset == 0x08:
            value = (value & ~0xC) | ((value & 3) << 2)
        elif offset in (0x90, 0x94, 0x98):
            value = _copy_bit(value, 0, 1)
        return value

    def write(self, offset: int, value: int, mask: int) -> None:
        if offset == 0x08:
            self.machine.rebase_timers()
        super().write(offset, value, mask)
        self.machine.set_clock(self.hclk_hz())

    def reset(self) -> None:
        super().reset()
        self.reg[0x00 // 4], self.reg[0x0C // 4], self.reg[0x48 // 4], self.reg[0x94 // 4] = 0x63, 0x1000, 0x100, 0x0C00_0600
        self.machine.set_clock(self.hclk_hz())

    def _msi_hz(self) -> int:
        control, status = self.reg[0], self.reg[0x94 // 4]
        index = (control >> 4) & 15 if control & 8 else (status >> 8) & 15
        return self.MSI_HZ[index] if index < len(self.MSI_HZ) else 48_000_000

    def _pll_hz(self) -> int:
        config = self.reg[0x0C // 4]
        source = (0, self._msi_hz(), self.HSI_HZ, self.HSE_HZ)[config & 3]
        return source * ((config >> 8) & 127) // ((((config >> 4) & 15) + 1) * 2 * (((config >> 25) & 3) + 1))

    def hclk_hz(self) -> int:
        config = self.reg[0x08 // 4]
        system = (self._msi_hz, lambda: self.HSI_HZ, lambda: self.HSE_HZ, self._pll_hz)[config & 3]()
        prescaler = (config >> 4) & 15
        return system // (1 if prescaler < 8 else (2, 4, 8, 16, 64, 128, 256, 512)[prescaler - 8]) or 1

    def timer_divider(self, base: int) -> int:
        config = self.reg[0x08 // 4]
        prescaler = (config >> 8) & 7 if base < 0x4001_0000 else (config >> 11) & 7
        return 1 if prescaler < 4 else 1 << (prescaler - 4)

    def uart_kernel_hz(self, base: int) -> int:
        """As in clocks.c: RM0432 section 6.4.28 (CCIPR)."""
        shift = {0x4000_8000: 10, 0x4001_3800: 0}.get(base, (base - 0x4000_4400) // 0x400 * 2 + 2)
        source, config = self.reg[0x88 // 4] >> shift & 3, self.reg[0x08 // 4]
        if source:
            system = (self._msi_hz, lambda: self.HSI_HZ, lambda: self.HSE_HZ, self._pll_hz)[config & 3]
            return (0, system(), self.HSI_HZ, 32_768)[source]
        prescaler = config >> (11 if base >= 0x4001_0000 else 8) & 7
        return self.machine.hclk_hz >> (0 if prescaler < 4 else prescaler - 3)


class Pwr(Peripheral):
    def read(self, offset: int) -> int:
        return 0x100 if offset == 0x14 else self.reg[offset >> 2]

    def reset(self) -> None:
        super().reset()
        self.reg[0], self.reg[0x80 // 4] = 0x200, 0x100


class FlashInterface(Peripheral):
    def write(self, offset: int, value: int, mask: int) -> None:
        if offset == 0x10:
            self.reg[4] &= ~value & WORD
            return
        super().write(offset, value, mask)
        if offset == 0:
            self._apply()

    def reset(self) -> None:
        super().reset()
        self.reg[0], self.reg[0x14 // 4], self.reg[0x20 // 4] = 0x600, 0xC000_0000, 0xFFEF_F8AA
        self._apply()

    def _apply(self) -> None:
        access, timing = self.reg[0], self.machine.timing
        timing.miss_ticks = (access & 15) * TICKS_PER_CYCLE
        timing.instruction.enabled, timing.data.enabled = bool(access >> 9 & 1), bool(access >> 10 & 1)
        if access >> 11 & 1:
            timing.instruction.clear()
        if access >> 12 & 1:
            timing.data.clear()


class Uart(Peripheral):
    """USART or LPUART, polled."""

    PRESCALER = (1, 2, 4, 6, 8, 10, 12, 16, 32, 64, 128, 256)

    line_free_at = 0
    bytes_received = 0
    bytes_sent = 0

    def reset(self) -> None:
        super().reset()
        self.line_free_at = 0

    def baud(self) -> int:
        """Bits per second by the registers, 0 if they do not say. As in uart.c."""
        prescaler, divider = self.reg[0x2C // 4] & 15, self.reg[0x0C // 4]
        clock = self.machine.rcc.uart_kernel_hz(self.base) // (self.PRESCALER[prescaler] if prescaler < len(self.PRESCALER) else 256)
        if not divider:
            return 0
        if self.base == 0x4000_8000:
            return 256 * clock // divider
        return 2 * clock // ((divider & 0xFFF0) | (divider & 7) << 1) if self.reg[0] >> 15 & 1 else clock // divider

    def byte_ticks(self) -> int:
        host_baud = self.machine.baud
        if not host_baud:
            return 0
        bits = 10 + (self.reg[0] >> 12 & 1) - (self.reg[0] >> 28 & 1) + (self.reg[1] >> 13 & 1)
        return bits * self.machine.hclk_hz * TICKS_PER_CYCLE // (self.baud() or host_baud)

    def has_data(self) -> bool:
        machine = self.machine
        connected = machine.host_uart in (None, self)
        return connected and bool(machine.received) and machine.ticks >= machine.receive_ready_at and self.reg[0] & 5 == 5

    def _status(self) -> int:
        control, ticks = self.reg[0], self.machine.ticks
        if not control & 1:
            return 0xC0
        room = (8 if control >> 29 & 1 else 1) * self.byte_ticks()
        status = (control & 8) << 18 | (control & 4) << 20
        status |= 0x80 if ticks + room >= self.line_free_at else 0
        status |= 0x40 if ticks >= self.line_free_at else 0
        return status | (0x20 if self.has_data() else 0)

    def read(self, offset: int) -> int:
        if offset == 0x1C:
            status = self._status()
            self.machine.count_idle_poll(self.line_free_at)
            return status
        if offset == 0x24 and self.has_data():
            self.bytes_received += 1
            self.reg[9] = self.machine.next_byte(self.byte_ticks())
        return self.reg[offset >> 2]

    def write(self, offset: int, value: int, mask: int) -> None:
        if offset == 0x28:
            self._send(value & 0xFF)
        elif offset not in (0x1C, 0x20, 0x24):
            super().write(offset, value, mask)
        if offset == 8 and self.reg[2] & 0xC0:
            self.machine.refuse("DMA for a UART")

    def _send(self, value: int) -> None:
        machine = self.machine
        if self.reg[0] & 9 != 9:
            return
        machine.host_uart = self
        self.line_free_at = max(self.line_free_at, machine.ticks) + self.byte_ticks()
        self.bytes_sent += 1
        machine.send_byte(value)


class Timer(Peripheral):
    """TIM2 to TIM7, counting up."""

    def __init__(self, machine: PythonMachine, base: int, wide: bool) -> None:
        super().__init__(machine, base, 0x400)
        self._width = WORD if wide else 0xFFFF
        self._count = self._prescaler = self._since = 0

    def reset(self) -> None:
        super().reset()
        self._count = self._prescaler = 0
        self._since = self.machine.ticks // TICKS_PER_CYCLE
        self.reg[0x2C // 4] = self._width

    def _cycles_per_count(self) -> int:
        return self.machine.rcc.timer_divider(self.base) * (self._prescaler + 1)

    def _counts(self) -> int:
        cycles = self.machine.ticks // TICKS_PER_CYCLE - self._since
        return cycles // self._cycles_per_count() if self.reg[0] & 1 else 0

    def count(self) -> int:
        return (self._count + self._counts()) % (self.reg[0x2C // 4] + 1)

    def rebase(self) -> None:
        """Brings the count up to now; what the prescaler counted of the next one stays."""
        counts = self._counts()
        self._count = self.count()
        self._since += counts * self._cycles_per_count()

    def read(self, offset: int) -> int:
        return self.count() if offset == 0x24 else self.reg[offset >> 2]

    def write(self, offset: int, value: int, mask: int) -> None:
        if offset == 0x10:
            self.reg[4] &= value | (~mask & WORD)
            return
        self.rebase()
        if offset == 0x14:
            if value & 1:
                self._count, self._prescaler = 0, self.reg[0x28 // 4] & 0xFFFF
                self._since = self.machine.ticks // TICKS_PER_CYCLE
                self.reg[4] |= 1
            return
        if offset == 0x24:
            self._count = value & self._width
        if offset == 0 and value & 1 and not self.reg[0] & 1:
            self._since = self.machine.ticks // TICKS_PER_CYCLE
        super().write(offset, value & self._width if offset == 0x2C else value, mask)


class Gpio(Peripheral):
    TIMESTAMP_BASE = 0x4800_1400
    TIMESTAMP_PIN = 13

    def reset(self) -> None:
        super().reset()
        port = (self.base - 0x4800_0000) // 0x400
        self.reg[0] = {0: 0xABFF_FFFF, 1: 0xFFFF_FEBF}.get(port, WORD)
        self.reg[3] = {0: 0x6400_0000, 1: 0x0000_0100}.get(port, 0)

    def _input(self) -> int:
        mode, pull, output = self.reg[0], self.reg[3], self.reg[5]
        value = 0
        for pin in range(16):
            level = output >> pin & 1 if mode >> 2 * pin & 3 == 1 else int(pull >> 2 * pin & 3 == 1)
            value |= level << pin
        if self.base == self.TIMESTAMP_BASE and mode >> 2 * self.TIMESTAMP_PIN & 3 != 1:
            value |= 1 << self.TIMESTAMP_PIN  # pulled up by the monitor, as in gpio.c
        return value

    def _clocked(self) -> bool:
        return bool(self.machine.rcc.reg[0x4C // 4] >> (self.base - 0x4800_0000) // 0x400 & 1)

    def read(self, offset: int) -> int:
        if not self._clocked():
            return 0
        return self._input() if offset == 0x10 else self.reg[offset >> 2]

    def write(self, offset: int, value: int, mask: int) -> None:
        if not self._clocked():
            self.machine.note(NoteKind.CLOCK_OFF, self.base + offset)
            return
        before = self._input()
        if offset == 0x18:
            self.reg[5] = (self.reg[5] & ~(value >> 16)) | (value & 0xFFFF)
        elif offset == 0x28:
            self.reg[5] &= ~(value & 0xFFFF) & WORD
        elif offset != 0x10:
            super().write(offset, value, mask)
        if self.base == self.TIMESTAMP_BASE and (before & ~self._input()) >> self.TIMESTAMP_PIN & 1:
            self.machine.timestamp_edge()


class Scb(Peripheral):
    def reset(self) -> None:
        super().reset()
        self.reg[0], self.reg[3], self.reg[5] = 0x410F_C241, 0xFA05_0000, 0x200

    def fpu_enabled(self) -> bool:
        return self.reg[0x88 // 4] >> 20 & 15 == 15

    def trace_enabled(self) -> bool:
        return bool(self.reg[0xFC // 4] >> 24 & 1)

    def write(self, offset: int, value: int, mask: int) -> None:
        if offset == 0x04 and value & 0x9400_0000:
            self.machine.refuse("PendSV, NMI or a SysTick interrupt")
        if offset in (0x00, 0x04):
            return
        if offset == 0x0C:
            if value >> 16 == 0x05FA:
                self.reg[3] = 0xFA05_0000 | (value & 0x700)
                if value & 4:
                    self.machine.request_reset()
            return
        if offset == 0xFC:
            self.machine.dwt.rebase()
        super().write(offset, value, mask)


class SysTick(Peripheral):
    """Counts and flags, raises nothing."""

    _since = _start = 0
    _counted = False

    def reset(self) -> None:
        super().reset()
        self._since, self._start, self._counted = self.machine.ticks, 0, False

    def _value(self) -> tuple[int, bool]:
        if not self.reg[0] & 1:
            return self._start, self._counted
        period = (self.reg[1] & 0xFF_FFFF) + 1
        elapsed = self.machine.ticks // TICKS_PER_CYCLE - self._since // TICKS_PER_CYCLE
        elapsed //= 1 if self.reg[0] & 4 else 8
        if elapsed <= self._start:
            return self._start - elapsed, self._counted or (elapsed == self._start and elapsed != 0)
        return period - 1 - (elapsed - self._start - 1) % period, self._counted or self._start != 0 or elapsed > period

    def _rebase(self) -> None:
        self._start, self._counted = self._value()
        self._since = self.machine.ticks

    def read(self, offset: int) -> int:
        value, wrapped = self._value()
        if offset == 0:
            self._rebase()
            self._counted = False
            return (self.reg[0] & 7) | wrapped << 16
        return {8: value, 12: 0xC000_0000}.get(offset, self.reg[offset >> 2])

    def write(self, offset: int, value: int, mask: int) -> None:
        self._rebase()
        if offset == 8:
            self._start, self._counted = 0, False
            return
        super().write(offset, value, mask)
        if offset == 0 and value & 3 == 3:
            self.machine.refuse("the SysTick interrupt")


class Nvic(Peripheral):
    def write(self, offset: int, value: int, mask: int) -> None:
        if offset < 0x20:
            self.reg[offset >> 2] |= value
            if value:
                self.machine.refuse(f"interrupts (NVIC register 0x{self.base + offset:08x})")
        elif 0x80 <= offset < 0xA0:
            self.reg[(offset - 0x80) >> 2] &= ~value & WORD
        else:
            super().write(offset, value, mask)


class Dwt(Peripheral):
    _count = _since = 0

    def reset(self) -> None:
        super().reset()
        self._count, self._since = 0, self.machine.ticks

    def count(self) -> int:
        if not (self.reg[0] & 1 and self.machine.scb.trace_enabled()):
            return self._count
        return (self._count + self.machine.ticks // TICKS_PER_CYCLE - self._since // TICKS_PER_CYCLE) & WORD

    def rebase(self) -> None:
        self._count, self._since = self.count(), self.machine.ticks

    def read(self, offset: int) -> int:
        if offset == 0:
            return self.reg[0] | 0x4000_0000
        return self.count() if offset == 4 else self.reg[offset >> 2]

    def write(self, offset: int, value: int, mask: int) -> None:
        self.rebase()
        if offset == 4:
            self._count = value
        else:
            super().write(offset, value, mask)


class DebugId(Peripheral):
    def read(self, offset: int) -> int:
        return 0x1000_6470 if offset == 0 else self.reg[offset >> 2]
