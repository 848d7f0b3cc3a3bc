// SPDX-License-Identifier: Apache-2.0
/* Life of a virtual board: creation, loading, reset, running, and what the host may ask. Called through ctypes by native.py. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define POWER_ON_SEED 0x4C344152354C5249ull
#define EXPORT __attribute__((visibility("default")))

/* --- small helpers ----------------------------------------------------------------------------------------------------------------*/

/* Makes room for one more item in an array, which is given by the address of its pointer. Without memory the array stays as it is, and the run
 * ends with STOP_MEMORY: firmware may bring the host to that point, so it must not end the process. */
bool grow(struct machine *m, void *array, uint32_t count, uint32_t *room, size_t item)
{
    uint32_t wanted = *room ? *room * 2u : 64u;
    void *old, *new;
    if (count < *room)
        return true;
    memcpy(&old, array, sizeof old);
    new = wanted > *room ? realloc(old, wanted * item) : NULL;
    if (!new) {
        request_stop(m, REQUEST_MEMORY);
        return false;
    }
    memcpy(array, &new, sizeof new);
    *room = wanted;
    return true;
}

/* The same for a list with a limit, which is noted when it is reached. */
bool list_grow(struct machine *m, enum list list, uint32_t most, void *array, uint32_t count, uint32_t *room, size_t item)
{
    if (count < most)
        return grow(m, array, count, room, item);
    note_once(m, NOTE_LIST_FULL, list);
    return false;
}

bool bytes_put(struct machine *m, struct bytes *b, uint8_t value)
{
    if (b->head == b->tail)
        b->head = b->tail = 0;
    if (b->head == b->room) {
        uint64_t wanted = b->room ? b->room * 2u : 4096u;
        uint8_t *data = realloc(b->data, wanted);
        if (!data) {
            request_stop(m, REQUEST_MEMORY);
            return false;
        }
        b->data = data;
        b->room = wanted;
    }
    b->data[b->head++] = value;
    return true;
}

/* Times far in the future stay there. */
uint64_t time_sum(uint64_t a, uint64_t b) { return a > NEVER - b ? NEVER : a + b; }

uint32_t read_register(struct machine *m, int unicorn_register)
{
    uint32_t value = 0;
    uc_reg_read(m->uc, unicorn_register, &value);
    return value;
}

void write_register(struct machine *m, int unicorn_register, uint32_t value)
{
    uc_reg_write(m->uc, unicorn_register, &value);
}

/* unicorn leaves GE as it is when xPSR is written. */
void write_xpsr(struct machine *m, uint32_t value)
{
    write_register(m, UC_ARM_REG_XPSR, value);
    write_register(m, UC_ARM_REG_APSR_G, value);
}

uint8_t *memory_at(struct machine *m, uint32_t address, uint32_t size)
{
#define X(start, bytes, offset) \
    if (address - (start) < (bytes) && size <= (bytes) - (address - (start))) \
        return m->sram + (offset) + (address - (start));
    if (in_flash(address) && size <= FLASH_SIZE - flash_offset(address))
        return m->flash + flash_offset(address);
    RAM_WINDOWS(X)
#undef X
    if (in_system_memory(address) && size <= SYSTEM_MEMORY_SIZE - (address - SYSTEM_MEMORY_BASE))
        return m->system_memory + (address - SYSTEM_MEMORY_BASE);
    return NULL;
}

/* --- life cycle -------------------------------------------------------------------------------------------------------------------*/

/* The manuals' chapters "Device electronic signature": unique id, flash size in KB, and what else the description says. */
static void fill_system_memory(uint8_t *at)
{
    static const uint32_t UNIQUE_ID[3] = {0x00350042u, 0x31375118u, 0x20363332u};
    static const uint16_t FLASH_KB = FLASH_SIZE / 1024u;
#define X(offset, size, value) {offset, size, value},
    static const struct { uint32_t offset, size, value; } MORE[] = {SIGNATURE(X) {0, 0, 0}};
#undef X
    memset(at, 0xFF, SYSTEM_MEMORY_SIZE);
    deviations_add_clrex(at);
    memcpy(at + UNIQUE_ID_OFFSET, UNIQUE_ID, sizeof UNIQUE_ID);
    memcpy(at + FLASH_KB_OFFSET, &FLASH_KB, sizeof FLASH_KB);
    for (uint32_t i = 0; i < sizeof MORE / sizeof MORE[0]; i++)
        memcpy(at + MORE[i].offset, &MORE[i].value, MORE[i].size);
}

/* What RAM and registers hold at power-on is unknown on the chip; here it is the same in every run, and never what firmware hopes for. */
static uint64_t power_on_word(uint64_t n)
{
    uint64_t z = POWER_ON_SEED + n * 0x9E3779B97F4A7C15ull;    /* splitmix64 */
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
}

static void fill_sram(struct machine *m)
{
    for (uint32_t i = 0; i < RAM_BYTES / 8u; i++) {
        uint64_t word = power_on_word(i);
        memcpy(m->sram + 8u * i, &word, sizeof word);
    }
}

static void fill_registers(struct machine *m)
{
    static const int CORE[] = {UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R4, UC_ARM_REG_R5, UC_ARM_REG_R6,
                               UC_ARM_REG_R7, UC_ARM_REG_R8, UC_ARM_REG_R9, UC_ARM_REG_R10, UC_ARM_REG_R11, UC_ARM_REG_R12};
    for (uint32_t i = 0; i < sizeof CORE / sizeof CORE[0]; i++)
        write_register(m, CORE[i], (uint32_t)power_on_word(RAM_BYTES + i));
    for (uint32_t i = 0; i < 16; i++) {
        uint64_t value = power_on_word(RAM_BYTES + 16u + i);
        uc_reg_write(m->uc, UC_ARM_REG_D0 + (int)i, &value);
    }
}

static bool map_memory(struct machine *m)
{
    const uint32_t read_execute = UC_PROT_READ | UC_PROT_EXEC;
    m->flash = aligned_alloc(0x10000, FLASH_SIZE);
    m->sram = aligned_alloc(0x10000, (RAM_BYTES + 0xFFFFu) & ~0xFFFFu);
    m->system_memory = aligned_alloc(0x10000, SYSTEM_MEMORY_SIZE);
    if (!m->flash || !m->sram || !m->system_memory)
        return false;
    memset(m->flash, 0xFF, FLASH_SIZE);
    memset(m->sram, 0, RAM_BYTES);     /* until the core was looked at */
    fill_system_memory(m->system_memory);
#define X(start) && uc_mem_map_ptr(m->uc, start, FLASH_SIZE, read_execute, m->flash) == UC_ERR_OK
#define Y(start, size, offset) && uc_mem_map_ptr(m->uc, start, size, UC_PROT_ALL, m->sram + (offset)) == UC_ERR_OK
    return true FLASH_WINDOWS(X) RAM_WINDOWS(Y) &&
           uc_mem_map_ptr(m->uc, SYSTEM_MEMORY_BASE, SYSTEM_MEMORY_SIZE, read_execute, m->system_memory) == UC_ERR_OK && bus_attach(m);
#undef X
#undef Y
}

/* unicorn sends every store to a page that may hold code down a slow path, and its own Cortex-M4 lets code be anywhere. So this machine
 * fills the translation buffer itself: RAM holds data until code is fetched from it. Addresses stay as they are, and what is mapped
 * and may be written is still checked by the memory map. */
static bool on_translation_miss(uc_engine *uc, uint64_t address, uc_mem_type type, uc_tlb_entry *entry, void *user)
{
    bool data_page = type != UC_MEM_FETCH && in_ram((uint32_t)address);
    (void)user;
    if (type != UC_MEM_FETCH)       /* before a fetch they are those of the block that comes: it may begin inside an IT block */
        clear_stale_it_bits(uc);
    entry->paddr = address;
    entry->perms = data_page ? UC_PROT_READ | UC_PROT_WRITE : UC_PROT_ALL;
    return true;
}

/* UC_MODE_MCLASS would give a Cortex-M33 whatever model is asked for, and say that all is well: see unicorn_core.py. */
bool open_core(uc_engine **uc, uint32_t page_size)
{
    if (uc_open(UC_ARCH_ARM, UC_MODE_THUMB, uc) != UC_ERR_OK) {
        *uc = NULL;
        return false;
    }
    /* unicorn's 1 KB pages would cut blocks and break the chaining of blocks at every kilobyte */
    return uc_ctl_set_page_size(*uc, page_size) == UC_ERR_OK && uc_ctl_set_cpu_model(*uc, CORE_MODEL) == UC_ERR_OK;
}

static bool runs(struct machine *m, const uint8_t *code)
{
    const uint32_t scratch = SRAM_BASE + 0x100u;
    memcpy(m->sram, code, 4);
    write_register(m, UC_ARM_REG_R1, scratch);
    return uc_emu_start(m->uc, SRAM_BASE | 1u, SRAM_BASE + 4u, 0, 1) == UC_ERR_OK;
}

/* A setting is not believed: the core must run, or refuse, the instructions that tell it from its relatives. Before any hook is set. */
static bool is_core(struct machine *m)
{
#define X(a, b, c, d, has) {{a, b, c, d}, has},
    static const struct { uint8_t code[4]; bool has; } PROBES[] = {CORE_PROBES(X)};
#undef X
    /* uc_ctl_get_cpu_model() shifts a signed 2 by 30 */
    const uint32_t get_model = (uint32_t)UC_CTL_CPU_MODEL | 1u << 26 | (uint32_t)UC_CTL_IO_READ << 30;
    int model = -1;
    bool right = uc_ctl(m->uc, (uc_control_type)get_model, &model) == UC_ERR_OK && model == (int)CORE_MODEL;
    for (uint32_t i = 0; i < sizeof PROBES / sizeof PROBES[0]; i++) {
        right = right && runs(m, PROBES[i].code) == PROBES[i].has;
        uc_ctl_flush_tb(m->uc);
    }
    memset(m->sram, 0, 4);
    return right;
}

EXPORT void cm4_free(struct machine *m)
{
    if (m->uc)
        uc_close(m->uc);
    timing_free(m);
    steady_free(m);
    trace_free(m);
    bus_free(m);
    free(m->flash), free(m->sram), free(m->system_memory), free(m->sai.samples), free(m->fpu_blocks), free(m->pin_changes);
    free(m->received.data), free(m->sent.data), free(m->clock_changes), free(m->edges), free(m->watched);
    free(m->setting_changes), free(m->spans);
    free(m);
}

EXPORT struct machine *cm4_new(const struct timing_constants *constants, classify_function classify, describe_function describe,
                               uint32_t page_size)
{
    struct machine *m;
    uc_hook hook;
    if (constants->icache_lines - 1u >= ICACHE_MAX_LINES || constants->dcache_lines - 1u >= DCACHE_MAX_LINES ||
        !constants->unprofiled_limit_cycles || !constants->unprofiled_window_cycles)
        return NULL;
    m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->constants = *constants;
    m->page_size = page_size;
    m->classify = classify;
    m->describe = describe;
    m->phase = PHASE_FAST;
    m->watched = calloc(WATCHABLE_BYTES / 16u, 1);
    if (!timing_init(m) || !m->watched) {
        cm4_free(m);
        return NULL;
    }
    devices_add(m);
    if (m->requests || !open_core(&m->uc, m->page_size) || !map_memory(m) || !is_core(m)) {
        cm4_free(m);
        return NULL;
    }
    fill_sram(m);
    uc_ctl_tlb_mode(m->uc, UC_TLB_VIRTUAL);
    uc_hook_add(m->uc, &hook, UC_HOOK_TLB_FILL, (void *)on_translation_miss, m, 1, 0);
    faults_attach(m);
    timing_attach(m);
    return m;
}

EXPORT int cm4_write_memory(struct machine *m, uint32_t address, const uint8_t *data, uint32_t size)
{
    uint8_t *at = memory_at(m, address, size);
    if (!at)
        return -1;
    memcpy(at, data, size);
    deviations_loaded(m, address, size);
    timing_flash_changed(m);
    witness_free(m);
    return 0;
}

EXPORT int cm4_read_memory(struct machine *m, uint32_t address, uint8_t *data, uint32_t size)
{
    const uint8_t *at = memory_at(m, address, size);
    if (!at)
        return -1;
    memcpy(data, at, size);
    return 0;
}

/* NRST or SYSRESETREQ: registers take their reset values, SRAM and virtual time go on. */
void reset_machine(struct machine *m)
{
    static const int CLEARED[] = {UC_ARM_REG_CONTROL, UC_ARM_REG_PRIMASK, UC_ARM_REG_BASEPRI, UC_ARM_REG_FAULTMASK};
    uint32_t vectors[2];
    exceptions_reset(m);
    rules_reset(m, true);
    bus_reset(m);
    rules_reset(m, false);
    timing_reset(m);
    trace_abandon(m);
    steady_forget(m);
    polls_forget(m);
    m->steady.passed = false;
    m->received.tail = m->received.head;
    m->receive_ready_at = 0;
    m->host_uart = NULL;
    m->last_uart_access = m->ticks;
    m->idle = m->prompt.seen = m->asleep = m->parked = m->waits_for_event = m->crashed = false;
    m->idle_polls = 0;
    m->requests = m->trap = m->watch_pc = m->watch_block_size = m->watch_deviations_size = 0;
    m->spurious_q = false;
    m->rounding_mode = 0;
    m->access = (struct invalid_access){0};
    m->held_back = false;
    m->fault = (struct fault){0};
    write_register(m, UC_ARM_REG_XPSR, 0x0100000Fu);   /* Handler mode is privileged: the registers can be written */
    for (size_t i = 0; i < sizeof CLEARED / sizeof CLEARED[0]; i++)
        write_register(m, CLEARED[i], 0);
    fill_registers(m);
    memcpy(vectors, memory_at(m, BOOT_ADDRESS, sizeof vectors), sizeof vectors);
    write_register(m, UC_ARM_REG_PSP, 0);
    write_register(m, UC_ARM_REG_FPSCR, 0);
    write_xpsr(m, 0x01000000u);
    write_register(m, UC_ARM_REG_LR, 0xFFFFFFFFu);
    write_register(m, UC_ARM_REG_SP, vectors[0] & ~3u);
    write_register(m, UC_ARM_REG_PC, vectors[1] | 1u);
    settings_reset(m);
    m->resets++;
}

EXPORT void cm4_reset(struct machine *m) { reset_machine(m); }

/* --- running ----------------------------------------------------------------------------------------------------------------------*/

EXPORT int cm4_run(struct machine *m, uint64_t until_ps)
{
    m->limit_ps = until_ps;
    if (m->crashed)
        return m->requests & REQUEST_MEMORY ? STOP_MEMORY : STOP_FAULT;
    if (m->rules.stopped)
        return STOP_REFUSED;
    if (m->idle && m->received.head == m->received.tail)
        return STOP_IDLE;
    m->idle = false;
    begin_slice(m);
    return run_machine(m);
}

/* Ends the present run soon. Only from a callback of the run itself. */
EXPORT void cm4_stop(struct machine *m) { request_stop(m, REQUEST_SLICE); }

/* The host has nothing to say to a board that waits or is parked: virtual time passes. A sleeping core takes its interrupts meanwhile.
 * STOP_SLICE: the host is to ask again; STOP_LIMIT and others: done. */
EXPORT int cm4_skip_until(struct machine *m, uint64_t time_ps)
{
    uint64_t ticks = ticks_of_time_ps(m, time_ps);
    m->idle = false;
    if (m->rules.stopped)
        return STOP_REFUSED;
    if ((m->asleep || devices_work_alone(m)) && !m->crashed) {
        int reason;
        m->limit_ps = time_ps;
        m->waiting = true;
        begin_slice(m);
        reason = run_machine(m);
        m->waiting = false;
        if (reason != STOP_PARKED)
            return reason;
    }
    if (ticks > m->ticks) {
        span_skipped(m, ticks);
        m->skipped_ticks += ticks - m->ticks;
        m->phase_start_ticks += ticks - m->ticks;   /* waiting is neither profiled nor fast work */
        m->ticks = ticks;
    }
    return STOP_LIMIT;
}

/* --- what the host may ask ------------------------------------------------------------------------------------------------------- */

EXPORT int cm4_receive(struct machine *m, const uint8_t *data, uint32_t size)
{
    uint64_t pace = m->constants.receive_pace_cycles * (uint64_t)TICKS_PER_CYCLE;
    if (m->constants.baud)
        pace = 10u * m->hclk_hz * TICKS_PER_CYCLE / m->constants.baud;
    if (m->received.head == m->received.tail && m->receive_ready_at < m->ticks + pace)
        m->receive_ready_at = m->ticks + pace;
    for (uint32_t i = 0; i < size; i++)
        if (!bytes_put(m, &m->received, data[i]))
            return -1;
    m->idle_polls = 0;
    m->last_uart_access = m->ticks;
    m->prompt.seen = false;
    return 0;
}

/* How the line ends with which the firmware asks for its next command; no bytes: it never does. */
EXPORT int cm4_set_prompt(struct machine *m, const uint8_t *text, uint32_t size, uint32_t settle_cycles)
{
    if (size > PROMPT_BYTES)
        return -1;
    m->prompt = (struct prompt){.size = size, .settle_cycles = settle_cycles};
    memcpy(m->prompt.text, text, size);
    return 0;
}

EXPORT uint32_t cm4_take_output(struct machine *m, uint8_t *data, uint32_t room)
{
    uint32_t count = 0;
    while (count < room && m->sent.tail != m->sent.head)
        data[count++] = m->sent.data[m->sent.tail++];
    return count;
}

EXPORT uint64_t cm4_output_waits(const struct machine *m) { return m->sent.head - m->sent.tail; }
EXPORT uint64_t cm4_time_ps(const struct machine *m) { return time_of_ticks_ps(m, m->ticks); }
EXPORT uint64_t cm4_ticks(const struct machine *m) { return m->ticks; }
EXPORT uint64_t cm4_hclk_hz(const struct machine *m) { return m->hclk_hz; }
EXPORT int cm4_profiling(const struct machine *m) { return m->phase == PHASE_PROFILE; }
EXPORT uint32_t cm4_register(struct machine *m, int unicorn_register) { return read_register(m, unicorn_register); }
EXPORT uint32_t cm4_line_baud(const struct machine *m) { return m->host_uart ? uart_baud(m, m->host_uart) : 0; }
EXPORT uint32_t cm4_program_counter(struct machine *m) { return read_register(m, UC_ARM_REG_PC) & ~1u; }
EXPORT void cm4_fault(const struct machine *m, struct fault *out) { *out = m->fault; }

EXPORT uint32_t cm4_edges(const struct machine *m, uint32_t from, uint64_t *out, uint32_t room)
{
    uint32_t count = 0;
    for (uint32_t i = from; i < m->edge_count && count < room; i++)
        out[count++] = m->edges[i];
    return count;
}

EXPORT uint32_t cm4_pin_changes(const struct machine *m, uint32_t from, struct pin_change *out, uint32_t room)
{
    uint32_t count = 0;
    for (uint32_t i = from; i < m->pin_change_count && count < room; i++)
        out[count++] = m->pin_changes[i];
    return count;
}

EXPORT uint32_t cm4_clock_changes(const struct machine *m, uint32_t from, struct clock_change *out, uint32_t room)
{
    uint32_t count = 0;
    for (uint32_t i = from; i < m->clock_change_count && count < room; i++)
        out[count++] = m->clock_changes[i];
    return count;
}

EXPORT uint32_t cm4_take_notes(struct machine *m, struct note *out, uint32_t room)
{
    uint32_t count = 0;
    while (m->notes_taken < m->note_count && count < room)
        out[count++] = m->notes[m->notes_taken++];
    return count;
}

EXPORT void cm4_statistics(struct machine *m, struct statistics *out)
{
    *out = (struct statistics){.cycles = m->ticks / TICKS_PER_CYCLE, .skipped_cycles = m->skipped_ticks / TICKS_PER_CYCLE,
                               .resets = m->resets,
                               .exceptions = m->exceptions_taken,
                               .polling_cycles = m->span_ticks[SPAN_POLL] / TICKS_PER_CYCLE,
                               .sleeping_cycles = m->span_ticks[SPAN_SLEEP] / TICKS_PER_CYCLE,
                               .deep_sleep_cycles = m->span_ticks[SPAN_DEEP_SLEEP] / TICKS_PER_CYCLE,
                               .looping_cycles = m->span_ticks[SPAN_LOOP] / TICKS_PER_CYCLE};
    timing_statistics(m, out);
    for (int i = 0; i < UARTS; i++) {
        out->bytes_received += m->uarts[i].bytes_received;
        out->bytes_sent += m->uarts[i].bytes_sent;
    }
}
