// SPDX-License-Identifier: Apache-2.0
/* The virtual board: the chip of its description around one of unicorn's Cortex-M cores.
 *
 * What is modelled and where it is written down:
 *   RM0432  STM32L4+ reference manual: memory map, RCC, PWR, FLASH, GPIO, TIM2..7, USART/LPUART
 *   DDI0439 Cortex-M4 technical reference manual: instruction timing, DWT
 *   DDI0403 ARMv7-M architecture reference manual: SCB, SysTick, NVIC registers
 * The files: machine.c (life cycle and the host's calls), run.c (running, events, sleep), faults.c (what goes wrong, and traps),
 * alignment.c (unaligned accesses), deviations.c (what unicorn computes otherwise), exceptions.c (priorities, entry, return), timing.c (cycle
 * model), caches.c (flash caches), banks.c (SRAM1 to 3), bus.c (registers on the bus), devices.c (the table of peripherals), clocks.c (PWR,
 * FLASH and virtual time), rcc.c (oscillators), rules.c and pins.c (what silicon would not run), uart.c, timers.c,
 * gpio.c, dma.c, sai.c, units.c (CRC, RNG and registers that only store), system.c (SCB, NVIC), counters.c (SysTick,
 * DWT), settings.c (what the current depends on), trace.c (what the callees of one function cost), layout.c (the structures that the host
 * shares).
 *
 * Nothing here is global: every machine stands alone, so that several may run in threads of one process.
 *
 * Unit of the cycle counter: one tick = 1/1000 cycle, kept in integers so that every host counts the same.
 */
#ifndef CM4TINY_CORE_H
#define CM4TINY_CORE_H

#include <stdbool.h>
#include <stdint.h>
#include <unicorn/unicorn.h>

#define TICKS_PER_CYCLE 1000u
#define NEVER UINT64_MAX

#include "description.h"    /* memory, peripherals, core and pins of the chip and its board: made by chip_header.py */
#include "memory.h"

/* VTOR after a reset; what Armv6-M and the boot alias begin with is 0. */
#define VECTORS_AT_RESET BOOT_ADDRESS

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

__extension__ typedef unsigned __int128 u128;   /* for products that 64 bits do not hold */

struct machine;

/* --- what the host and the machine exchange (mirrored in native.py, see layout.c) ---------------------------------------------------------- */

/* Constants of the cycle model; cycle_model.py documents each with its source. */
struct timing_constants {
    uint32_t taken_transfer_ticks;  /* where nothing is known of the block before: after reset */
    uint32_t icache_lines, dcache_lines;
    uint32_t receive_pace_cycles;   /* gap between two received bytes without a baud rate */
    uint32_t idle_polls;            /* that many polls of an empty receiver are "idle" */
    uint32_t idle_gap_cycles;       /* polls further apart than this are work, not waiting */
    uint64_t profile_min_cycles, profile_max_cycles;
    uint64_t unprofiled_window_cycles, unprofiled_limit_cycles;
    uint32_t exact;                 /* never leave the profiling phase */
    uint32_t baud;                  /* 0: bytes take no time on the line */
    uint32_t pair_per_mille;        /* of a miss: what the second half of a 128-bit pair costs */
    uint32_t bank_wait_ticks, bank_change_ticks;
};

/* A load or store of a block: accesses.py says what the fields mean. */
struct block_access { int32_t displacement; uint8_t reg, size, flags, unused; };
enum { ACCESS_READ = 1, ACCESS_ALONE = 2, ACCESS_CHAINED = 4, ACCESS_AT_END = 8, ACCESS_EXACT = 16 };
#define MAX_ACCESSES 256u
#define ACCESS_REGISTERS 15u        /* R0 to R14 */

/* What the host's disassembler says about a basic block. */
struct block_facts {
    uint32_t cost_ticks, instructions;
    uint32_t fpu_offset;            /* of the first floating-point instruction; FPU_NONE if there is none */
    uint32_t exit_ticks, entry_ticks;   /* more when the next block does not follow it, when the one before does not precede it */
    uint32_t access_count;
    struct block_access accesses[MAX_ACCESSES];
};
#define FPU_NONE 0xFFFFFFFFu
typedef void (*classify_function)(uint32_t address, uint32_t size, struct block_facts *facts);

/* STOP_SLICE: nothing happened, but the host may want to end the run (Ctrl-C); STOP_MEMORY: the host's memory is used up. */
enum stop_reason { STOP_LIMIT = 1, STOP_IDLE, STOP_LINE, STOP_PARKED, STOP_FAULT, STOP_QUIET, STOP_SLICE, STOP_MEMORY,
                   STOP_REFUSED };

enum fault_kind {
    FAULT_NONE, FAULT_READ, FAULT_WRITE, FAULT_FETCH, FAULT_INSTRUCTION, FAULT_FLASH_WRITE, FAULT_BREAKPOINT, FAULT_SUPERVISOR_CALL,
    FAULT_FPU_DISABLED, FAULT_EXCEPTION_RETURN, FAULT_OTHER, FAULT_STACKING, FAULT_VECTOR, FAULT_DIVISION, FAULT_UNALIGNED, FAULT_STATE
};

/* The first fault of a chain: what, where, the core's registers then, and what the core made of it. */
struct fault {
    uint32_t kind, address, detail; /* detail: unicorn's error or exception number */
    uint32_t pc, lr, sp, xpsr, r[13];
    uint32_t exception;             /* the exception that was taken for it, 0 if the core locked up */
    uint32_t interrupted;           /* the exception that ran, 0 in thread mode */
    uint32_t cfsr, hfsr, locked_up;
};

struct invalid_access { uint32_t kind, address, detail; };

enum note_kind { NOTE_READ = 1, NOTE_WRITE, NOTE_FEATURE, NOTE_PARKED, NOTE_FAULT, NOTE_LIST_FULL = 7, NOTE_SATURATION, NOTE_RULE };
struct note { uint32_t kind, address, pc; };

/* Lists that firmware makes longer. Each has a limit; a note with the list's number says that it was reached. */
enum list { LIST_NOTES = 1, LIST_EDGES, LIST_PIN_CHANGES, LIST_CLOCK_CHANGES, LIST_WATCHES, LIST_OUTPUT, LIST_SETTINGS, LIST_SPANS,
            LIST_BROKEN_RULES };
#define MAX_NOTES 256u
#define MAX_EDGES (1u << 20)
#define MAX_PIN_CHANGES (1u << 20)
#define MAX_CLOCK_CHANGES (1u << 16)
#define MAX_WATCHES 4096u
#define MAX_SETTING_CHANGES (1u << 16)
#define MAX_SPANS (1u << 20)
#define X(start, size, offset) + (size)
enum { WATCHABLE_BYTES = FLASH_WINDOW_COUNT * FLASH_SIZE RAM_WINDOWS(X) };
#undef X
#define MAX_OUTPUT (1u << 20)       /* bytes that the host has not taken; it is asked to from OUTPUT_WAITS on */
#define OUTPUT_WAITS (1u << 16)
#define MAX_FRAMES (1u << 26)       /* of audio that waits to be played: an hour and more */

struct clock_change { uint64_t time_ps, ticks; uint64_t hclk_hz; };

/* A register that the chip's current depends on got another value: see settings.c. */
struct setting_change { uint64_t time_ps, ticks; uint32_t address, value; };

/* A time in which the core did something else than work: polled a UART, slept, or went round in an endless loop of one instruction. */
enum span_kind { SPAN_POLL = 1, SPAN_SLEEP, SPAN_DEEP_SLEEP, SPAN_LOOP, SPAN_KINDS };
struct span { uint64_t from_ticks, to_ticks; uint32_t kind, unused; };

/* An output pin that changed: the port's number times 16 plus the pin's, and its new level. */
struct pin_change { uint64_t time_ps; uint32_t pin, level; };

struct statistics {
    uint64_t cycles, instructions, blocks_run, taken_transfers, icache_misses, dcache_misses, icache_stall_cycles, dcache_stall_cycles;
    uint64_t skipped_cycles, profiled_cycles, profile_phases, resets, blocks_known, bytes_received, bytes_sent, exceptions;
    uint64_t polling_cycles, sleeping_cycles, deep_sleep_cycles, looping_cycles;
};

/* --- timing.c, caches.c -------------------------------------------------------------------------------------------------------- */

#define ICACHE_MAX_LINES 64
#define DCACHE_MAX_LINES 16
#define FLASH_LINE_SHIFT 5u         /* a cache line: 32 bytes of flash, four 64-bit words */
#define FLASH_LINES (FLASH_SIZE >> FLASH_LINE_SHIFT)
#define NO_LINE UINT32_MAX
#define NO_SLOT 0xFFu

/* A basic block as unicorn cut it, found by its address. */
struct block {
    uint64_t generation;            /* of the instruction cache in which all its lines are known to be present */
    uint64_t fresh_in;              /* the generation in which it was put on the list of fresh blocks */
    uint64_t stamp;                 /* LRU time of its first line when it last ran, if its generation is the current one */
    uint64_t runs;
    uint32_t size, cost_ticks;      /* cost_ticks: static_ticks plus, after profiling, the mean data stall */
    uint32_t static_ticks, instructions;
    uint32_t first_line, lines;     /* of flash; no lines in RAM */
    uint32_t number;                /* in the list of known blocks */
    uint32_t fpu_offset, flags;
    uint64_t runs_at_phase_start, profiled_runs, data_stall_ticks, data_misses;
    /* waits for SRAM2 and SRAM3, see banks.c: static_ticks holds their mean */
    uint64_t next_sample, bank_sum_ticks;
    struct block_access *accesses;
    uint32_t access_count, exit_ticks, entry_ticks, bank_ticks, bank_samples, last_bank;
};
enum { BLOCK_ENDLESS = 1, BLOCK_PROFILED = 2, BLOCK_WATCHED = 4, BLOCK_SENDS_EVENT = 8, BLOCK_KNOWN = 16, BLOCK_IN_FPU_LIST = 32,
       BLOCK_DIVISIONS_WATCHED = 64, BLOCK_HOLDS_UNDEFINED = 128, BLOCK_UNDEFINED_WATCHED = 256,
       BLOCK_ADDS_PRODUCTS = 512, BLOCK_CONVERTS = 1024 };

struct icache {
    uint32_t line[ICACHE_MAX_LINES];
    uint8_t words[ICACHE_MAX_LINES];
    uint64_t last_use[ICACHE_MAX_LINES];
    uint64_t clock, generation;
    uint8_t slot_of_line[FLASH_LINES];
    struct block **fresh;           /* blocks whose stamps are not yet in last_use */
    uint32_t fresh_count, fresh_room;
};

struct dcache {
    uint32_t line[DCACHE_MAX_LINES];
    uint8_t words[DCACHE_MAX_LINES];
    uint64_t last_use[DCACHE_MAX_LINES], clock;
};

enum phase { PHASE_PROFILE, PHASE_FAST };

bool timing_init(struct machine *m);
void timing_attach(struct machine *m);
void timing_free(struct machine *m);
void timing_reset(struct machine *m);
void timing_flash_changed(struct machine *m);
void timing_enter_phase(struct machine *m, enum phase phase);
void timing_at_stop(struct machine *m, bool command_ended);
void timing_statistics(struct machine *m, struct statistics *out);
void timing_trace(struct machine *m, bool on);
void clear_stale_it_bits(uc_engine *uc);
void drop_deleted_hooks(struct machine *m);

void icache_run_block(struct machine *m, const struct block *b, uint32_t flash_offset);
void icache_mark_complete(struct machine *m, struct block *b, uint64_t stamp);
void dcache_read_word(struct machine *m, uint32_t word);
void timing_caches_reset(struct machine *m, bool instruction, bool data);
void timing_forget_verified(struct machine *m);
void timing_forget_fpu_blocks(struct machine *m);

/* --- banks.c --------------------------------------------------------------------------------------------------------------------- */

void banks_learn(struct machine *m, struct block *b, const struct block_facts *facts);
void banks_forget(struct block *b);
void banks_begin(struct machine *m, struct block *b, const struct block *before);
void banks_end(struct machine *m);
uint32_t banks_mean(uint64_t *sum_ticks, uint32_t *samples, uint32_t ticks);
uint64_t banks_next_sample(uint64_t runs);

/* --- bus.c --------------------------------------------------------------------------------------------------------------------- */

struct peripheral {
    const char *name;
    uint32_t base, size;
    uint32_t (*read)(struct machine *m, struct peripheral *p, uint32_t offset);
    /* value and mask are shifted into the word at offset; mask has ones where the store wrote */
    void (*write)(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask);
    void (*reset)(struct machine *m, struct peripheral *p);
    /* what a read would give, with nothing changed by it; NULL: the word of the register file */
    uint32_t (*peek)(struct machine *m, struct peripheral *p, uint32_t offset);
    uint32_t instance;
    uint32_t enable_word, enable_mask;  /* where RCC clocks it; no mask: always clocked */
    uint32_t *reg;                  /* size / 4 words: the register file */
};
#define MAX_PERIPHERALS 64

struct peripheral *bus_add(struct machine *m, struct peripheral p);
bool bus_attach(struct machine *m);
bool open_core(uc_engine **uc, uint32_t page_size);
void bus_reset(struct machine *m);
void bus_free(struct machine *m);
uint32_t bus_read(struct machine *m, uint32_t address, uint32_t size);
void bus_write(struct machine *m, uint32_t address, uint32_t size, uint32_t value);
uint32_t bus_plain_read(struct machine *m, struct peripheral *p, uint32_t offset);
void bus_plain_write(struct machine *m, struct peripheral *p, uint32_t offset, uint32_t value, uint32_t mask);
void note_once(struct machine *m, enum note_kind kind, uint32_t address);

#include "devices.h"
#include "exceptions.h"
#include "rules.h"
#include "trace.h"
#include "witness.h"
#include "steady.h"
#include "polls.h"

/* --- machine.c ----------------------------------------------------------------------------------------------------------------- */

/* --- settings.c ---------------------------------------------------------------------------------------------------------------- */

#define SETTINGS 30u                /* registers whose history is kept */
void settings_written(struct machine *m, const struct peripheral *p, uint32_t offset);
void settings_reset(struct machine *m);
void span_add(struct machine *m, enum span_kind kind, uint64_t from_ticks, uint64_t to_ticks);
void span_skipped(struct machine *m, uint64_t to_ticks);

enum request {
    REQUEST_RESET = 1, REQUEST_IDLE = 2, REQUEST_LINE = 4, REQUEST_PARKED = 8, REQUEST_PROFILE = 16, REQUEST_WATCH = 32, REQUEST_QUIET = 64,
    REQUEST_SLICE = 128, REQUEST_MEMORY = 256, REQUEST_REFUSED = 512, REQUEST_CALLED = 1024
};

#define CORE_REGISTERS 17           /* R0..R12, SP, LR, PC, xPSR */

/* The line with which firmware asks for its next command: the host says how it ends. */
#define PROMPT_BYTES 16u
struct prompt {
    uint8_t text[PROMPT_BYTES], recent[PROMPT_BYTES];
    uint32_t size, settle_cycles;   /* so long after it firmware has armed its receiver again */
    bool seen;                      /* it was the last line: between two commands */
};

struct overwritten { uint32_t address, size; uint8_t old[8]; };
#define MAX_OVERWRITTEN 1024u       /* more than a basic block writes */

struct bytes { uint8_t *data; uint64_t head, tail, room; };

enum { RECORDS_ITERATION = 1, RECORDS_PATH = 2 };

struct machine {
    /* the hot words first: the block hook reads them on every block */
    uint64_t ticks, next_event;
    uint32_t expected_pc, sampled_last_bank, registers_at_begin[ACCESS_REGISTERS];
    struct block *current, *sampled;    /* sampled: its accesses are looked up when it has ended */
    struct block *flash_blocks, *sram_blocks;
    uint64_t taken_transfers;
    const struct block *repeated;   /* the function of which equal calls are advanced, see steady.c */
    const struct block *polled;     /* the block that read a UART's status last, see polls.c */
    uint8_t recording;

    uc_engine *uc;
    struct timing_constants constants;
    classify_function classify;
    describe_function describe;
    struct steady steady;
    struct polls polls;
    struct witness *witness;
    const struct block *sampled_before;
    uint64_t bus_accesses, silence_ps;
    uint8_t *flash, *sram, *system_memory;
    struct block nowhere;
    struct block **known;
    uint32_t known_count, known_room;

    struct icache icache;
    struct dcache dcache;
    uint32_t flash_miss_ticks, last_flash_word;
    bool icache_on, dcache_on;
    enum phase phase;
    bool hooked;
    uc_hook block_hook, data_hooks[FLASH_WINDOW_COUNT], ram_hooks[RAM_WINDOW_COUNT];
    bool ram_hooked, held_back;
    uint64_t accesses_looked_at;    /* for their alignment */
    struct trace *trace;            /* NULL until one is asked for */
    uint64_t phase_start_ticks, profiled_ticks, unprofiled_window_end, unprofiled_ticks, profile_phases;
    uint64_t icache_misses, icache_stall_ticks, dcache_misses, dcache_stall_ticks;
    uint64_t retired_instructions, retired_runs;
    uint32_t watch_pc;              /* where to put a watch before going on, see faults.c */
    uint32_t watch_block, watch_block_size;     /* and a block of which all instructions that may fault get one */
    uint8_t *watched;               /* a bit for each halfword that has one, each alias by itself */
    uint32_t watch_count;
    uint32_t watch_deviations, watch_deviations_size;   /* the same for what unicorn computes otherwise, see deviations.c */
    uint32_t rounding_mode;         /* of FPSCR, which is another for one instruction */
    bool reads_q, added_products, spurious_q, sets_rounding, sets_monitor, clears_monitor;
    struct block **fpu_blocks;
    uint32_t fpu_block_count, fpu_block_room;

    struct peripheral peripherals[MAX_PERIPHERALS];
    uint32_t peripheral_count;
    struct peripheral *last_peripheral;
    struct peripheral *rcc, *power, *ports[GPIO_PORTS], *flash_interface, *scb, *dwt_registers, *systick_registers, *dmamux;
    struct clocks clocks;
    struct rules rules;
    struct uart uarts[UARTS];
    struct timer timers[TIMERS];
    struct dma_channel dma[DMA_CHANNELS + 1];
    uint64_t dma_starts_at;         /* the first transfer that waits */
    uint64_t dma_copies_until;      /* when the last transfer between memories would have ended */
    bool dma_moving;                /* an item is on its way: a channel that it starts has to wait */
    struct peripheral *dma_units[DMA_UNITS + 1];
    struct sai sai;
    struct random_source random;
    struct crc_unit crc;
    struct systick systick;
    struct dwt dwt;
    struct exceptions exceptions;
    struct uart *host_uart;         /* the UART that the host's cable is on: the one that spoke last */
    struct bytes received, sent;
    uint64_t receive_ready_at, last_poll_at, last_uart_access;
    uint32_t idle_polls;
    bool idle;                      /* told the host that it waits for bytes */
    bool asleep;                    /* WFI, WFE, or an endless loop of one instruction */
    struct prompt prompt;
    bool waiting;                   /* the host has nothing to say: let time pass without asking it again */

    uint64_t hclk_hz, clock_base_ticks, clock_base_ps;
    struct clock_change *clock_changes;
    uint32_t clock_change_count, clock_change_room;
    uint64_t *edges;                /* falling edges of the time-stamp pin, in ps of virtual time */
    uint32_t edge_count, edge_room;
    struct pin_change *pin_changes;
    uint32_t pin_change_count, pin_change_room;
    struct setting_change *setting_changes;
    uint32_t setting_change_count, setting_change_room;
    uint32_t settings[SETTINGS];    /* the last recorded values */
    struct span *spans;
    uint32_t span_count, span_room;
    uint64_t span_ticks[SPAN_KINDS];

    uint32_t requests;
    uint32_t page_size;
    uint64_t limit_ps, skipped_ticks, resets, exceptions_taken;
    uint64_t slice_end, effort;     /* when a run returns to the host at the latest, in ticks and in events: see run.c */
    uint64_t planned_event, must_stop_at;
    bool replanned;                 /* a peripheral was written to since the last plan */
    bool paused;                    /* the block hook stopped the run */
    bool parked, waits_for_event;   /* kinds of sleep: an endless loop, WFE */
    uint32_t trap;                  /* exception number of unicorn's that ended a run */
    struct invalid_access access;
    uint32_t registers_before[CORE_REGISTERS + 36];  /* of an instruction that must not happen */
    struct overwritten overwritten[MAX_OVERWRITTEN];    /* and the memory that it wrote to */
    uint32_t overwritten_count;
    bool watches_accesses;
    struct fault fault;
    bool crashed;
    struct note notes[MAX_NOTES];
    uint32_t note_count, notes_taken;
};

uint8_t *memory_at(struct machine *m, uint32_t address, uint32_t size);
void reset_machine(struct machine *m);
uint32_t read_register(struct machine *m, int unicorn_register);
void write_register(struct machine *m, int unicorn_register, uint32_t value);
void write_xpsr(struct machine *m, uint32_t value);
bool grow(struct machine *m, void *array, uint32_t count, uint32_t *room, size_t item);
bool list_grow(struct machine *m, enum list list, uint32_t most, void *array, uint32_t count, uint32_t *room, size_t item);
bool bytes_put(struct machine *m, struct bytes *b, uint8_t value);
uint64_t time_sum(uint64_t a, uint64_t b);

/* --- run.c --------------------------------------------------------------------------------------------------------------------- */

void request_stop(struct machine *m, enum request request);
void replan(struct machine *m);
void begin_slice(struct machine *m);
bool event_pause(struct machine *m);
uint64_t next_own_event(const struct machine *m);
uint64_t furthest_event(const struct machine *m);
int run_machine(struct machine *m);

/* --- faults.c -------------------------------------------------------------------------------------------------------------------- */

void faults_attach(struct machine *m);
void fault_record(struct machine *m, enum fault_kind kind, uint32_t address, uint32_t detail);
void fault_take(struct machine *m, enum fault_kind kind, uint32_t address, uint32_t detail);
void fault_chain(struct machine *m, enum fault_kind kind, uint32_t address, uint32_t detail);
int handle_trap(struct machine *m, uc_err error);
void place_watch(struct machine *m);
bool holds_undefined(struct machine *m, uint32_t address, uint32_t size);
void watch_block(struct machine *m, struct block *b, uint32_t address);
bool new_watch(struct machine *m, uint32_t address);

/* --- alignment.c ----------------------------------------------------------------------------------------------------------------- */

void alignment_check(struct machine *m, uc_mem_type type, uint32_t address, uint32_t size);
void hold_back(struct machine *m, enum fault_kind kind, uint32_t address, uint32_t pc);
void take_back(struct machine *m);
void alignment_begin(struct machine *m);
bool alignment_finish(struct machine *m);
void alignment_end(struct machine *m);
uint64_t alignment_left(const struct machine *m);
bool alignment_watch_all(struct machine *m);
uint32_t alignment_of_exclusive(struct machine *m);

/* --- deviations.c ---------------------------------------------------------------------------------------------------------------- */

void deviations_loaded(struct machine *m, uint32_t address, uint32_t size);
void deviations_learn(struct machine *m, struct block *b, uint32_t address, uint32_t size);
void deviations_watch(struct machine *m, struct block *b, uint32_t address);
bool deviations_place_watch(struct machine *m);
void deviations_settle(struct machine *m);
void deviations_rounding(struct machine *m);
void deviations_add_clrex(uint8_t *system_memory);
void deviations_clear_monitor(struct machine *m);

#endif
