/* Life of a virtual board: creation, loading, reset, running, and what the host may ask. Called through ctypes by native.py. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define RUN_FOR_EVER 0xFFFFFFFEu    /* an address that no firmware reaches */
#define EXPORT __attribute__((visibility("default")))

/* --- small helpers ----------------------------------------------------------------------------------------------------------------*/

void *grow(void *array, uint32_t count, uint32_t *room, size_t item)
{
    if (count < *room)
        return array;
    *room = *room ? *room * 2u : 64u;
    array = realloc(array, *room * item);
    if (!array)
        abort();                    /* out of memory in the middle of a callback: nothing sensible is left to do */
    return array;
}

bool bytes_put(struct bytes *b, uint8_t value)
{
    if (b->head == b->tail)
        b->head = b->tail = 0;
    if (b->head == b->room) {
        b->room = b->room ? b->room * 2u : 4096u;
        b->data = realloc(b->data, b->room);
        if (!b->data)
            abort();
    }
    b->data[b->head++] = value;
    return true;
}

uint32_t read_register(struct machine *m, int unicorn_register)
{
    uint32_t value = 0;
    uc_reg_read(m->uc, unicorn_register, &value);
    return value;
}

static void write_register(struct machine *m, int unicorn_register, uint32_t value)
{
    uc_reg_write(m->uc, unicorn_register, &value);
}

/* Stops before the next block: to stop inside a store would make unicorn execute the store again. */
void request_stop(struct machine *m, enum request request)
{
    m->requests |= request;
    m->next_event = 0;
}

void plan_next_event(struct machine *m)
{
    m->next_event = m->requests || m->pending_fpu_pc ? 0 : ticks_of_time_ps(m, m->limit_ps);
    if (m->phase == PHASE_PROFILE && !m->constants.exact) {
        uint64_t cap = m->phase_start_ticks + m->constants.profile_max_cycles * TICKS_PER_CYCLE;
        if (cap < m->next_event)
            m->next_event = cap;
    }
}

static uint8_t *memory_at(struct machine *m, uint32_t address, uint32_t size)
{
    if (address - FLASH_BASE < FLASH_SIZE && size <= FLASH_SIZE - (address - FLASH_BASE))
        return m->flash + (address - FLASH_BASE);
    if (address - SRAM_BASE < SRAM_SIZE && size <= SRAM_SIZE - (address - SRAM_BASE))
        return m->sram + (address - SRAM_BASE);
    if (address < FLASH_SIZE && size <= FLASH_SIZE - address)
        return m->flash + address;
    if (address - SRAM2_ALIAS < SRAM2_SIZE && size <= SRAM2_SIZE - (address - SRAM2_ALIAS))
        return m->sram + SRAM2_OFFSET + (address - SRAM2_ALIAS);
    return NULL;
}

/* --- faults -----------------------------------------------------------------------------------------------------------------------*/

static void fault_record(struct machine *m, enum fault_kind kind, uint32_t address, uint32_t detail)
{
    static const int REGISTERS[13] = {UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R4, UC_ARM_REG_R5,
                                      UC_ARM_REG_R6, UC_ARM_REG_R7, UC_ARM_REG_R8, UC_ARM_REG_R9, UC_ARM_REG_R10, UC_ARM_REG_R11,
                                      UC_ARM_REG_R12};
    struct fault *f = &m->fault;
    if (f->kind != FAULT_NONE)
        return;
    f->kind = kind, f->address = address, f->detail = detail;
    f->pc = read_register(m, UC_ARM_REG_PC), f->lr = read_register(m, UC_ARM_REG_LR);
    f->sp = read_register(m, UC_ARM_REG_SP), f->xpsr = read_register(m, UC_ARM_REG_XPSR);
    for (int i = 0; i < 13; i++)
        f->r[i] = read_register(m, REGISTERS[i]);
}

static bool on_invalid_access(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value, void *user)
{
    struct machine *m = user;
    enum fault_kind kind = FAULT_OTHER;
    (void)uc, (void)size, (void)value;
    if (type == UC_MEM_READ_UNMAPPED || type == UC_MEM_READ_PROT)
        kind = FAULT_READ;
    else if (type == UC_MEM_WRITE_UNMAPPED)
        kind = FAULT_WRITE;
    else if (type == UC_MEM_WRITE_PROT)
        kind = FAULT_FLASH_WRITE;
    else if (type == UC_MEM_FETCH_UNMAPPED || type == UC_MEM_FETCH_PROT)
        kind = FAULT_FETCH;
    fault_record(m, kind, (uint32_t)address, (uint32_t)type);
    return false;
}

/* Exception numbers of unicorn's (qemu's) Arm target. */
enum { EXCP_UDEF = 1, EXCP_SWI = 2, EXCP_BKPT = 7, EXCP_EXCEPTION_EXIT = 8 };

static void on_interrupt(uc_engine *uc, uint32_t number, void *user)
{
    enum fault_kind kind = FAULT_OTHER;
    switch (number) {
    case EXCP_UDEF: kind = FAULT_INSTRUCTION; break;
    case EXCP_SWI: kind = FAULT_SUPERVISOR_CALL; break;
    case EXCP_BKPT: kind = FAULT_BREAKPOINT; break;
    case EXCP_EXCEPTION_EXIT: kind = FAULT_EXCEPTION_RETURN; break;
    default: break;
    }
    fault_record(user, kind, 0, number);
    uc_emu_stop(uc);
}

/* --- life cycle -------------------------------------------------------------------------------------------------------------------*/

static bool map_memory(struct machine *m)
{
    const uint32_t read_execute = UC_PROT_READ | UC_PROT_EXEC;
    m->flash = aligned_alloc(0x10000, FLASH_SIZE);
    m->sram = aligned_alloc(0x10000, SRAM_SIZE);
    if (!m->flash || !m->sram)
        return false;
    memset(m->flash, 0xFF, FLASH_SIZE);
    memset(m->sram, 0, SRAM_SIZE);
    return uc_mem_map_ptr(m->uc, FLASH_BASE, FLASH_SIZE, read_execute, m->flash) == UC_ERR_OK &&
           uc_mem_map_ptr(m->uc, 0, FLASH_SIZE, read_execute, m->flash) == UC_ERR_OK &&
           uc_mem_map_ptr(m->uc, SRAM_BASE, SRAM_SIZE, UC_PROT_ALL, m->sram) == UC_ERR_OK &&
           uc_mem_map_ptr(m->uc, SRAM2_ALIAS, SRAM2_SIZE, UC_PROT_ALL, m->sram + SRAM2_OFFSET) == UC_ERR_OK && bus_attach(m);
}

/* unicorn sends every store to a page that may hold code down a slow path, and its own Cortex-M4 lets code be anywhere. So this machine
 * fills the translation buffer itself: RAM holds data until code is fetched from it. Addresses stay as they are, and what is mapped
 * and may be written is still checked by the memory map. */
static bool on_translation_miss(uc_engine *uc, uint64_t address, uc_mem_type type, uc_tlb_entry *entry, void *user)
{
    bool data_page = type != UC_MEM_FETCH && (address - SRAM_BASE < SRAM_SIZE || address - SRAM2_ALIAS < SRAM2_SIZE);
    (void)user;
    clear_stale_it_bits(uc);
    entry->paddr = address;
    entry->perms = data_page ? UC_PROT_READ | UC_PROT_WRITE : UC_PROT_ALL;
    return true;
}

/* Everywhere but in RAM, where no access is invalid: a hook over RAM, even of this kind, keeps its stores on the slow path. */
static void watch_invalid_accesses(struct machine *m)
{
    static const uint32_t RANGES[][2] = {{0, SRAM2_ALIAS - 1},
                                         {SRAM2_ALIAS + SRAM2_SIZE, SRAM_BASE - 1},
                                         {SRAM_BASE + SRAM_SIZE, UINT32_MAX}};
    uc_hook hook;
    for (size_t i = 0; i < sizeof RANGES / sizeof RANGES[0]; i++)
        uc_hook_add(m->uc, &hook, UC_HOOK_MEM_INVALID, (void *)on_invalid_access, m, RANGES[i][0], RANGES[i][1]);
}

static bool open_engine(struct machine *m)
{
    if (uc_open(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS, &m->uc) != UC_ERR_OK)
        return false;
    /* unicorn's 1 KB pages would cut blocks and break the chaining of blocks at every kilobyte */
    return uc_ctl_set_page_size(m->uc, m->page_size) == UC_ERR_OK && uc_ctl_set_cpu_model(m->uc, UC_CPU_ARM_CORTEX_M4) == UC_ERR_OK;
}

EXPORT void cm4_free(struct machine *m)
{
    if (m->uc)
        uc_close(m->uc);
    timing_free(m);
    bus_free(m);
    free(m->flash), free(m->sram), free(m->received.data), free(m->sent.data), free(m->clock_changes), free(m->edges);
    free(m);
}

EXPORT struct machine *cm4_new(const struct timing_constants *constants, classify_function classify, uint32_t page_size)
{
    struct machine *m = calloc(1, sizeof *m);
    uc_hook hook;
    if (!m)
        return NULL;
    m->constants = *constants;
    m->page_size = page_size;
    m->classify = classify;
    m->phase = PHASE_FAST;
    timing_init(m);
    clocks_add(m);
    peripherals_add(m);
    system_add(m);
    if (!open_engine(m) || !map_memory(m)) {
        cm4_free(m);
        return NULL;
    }
    uc_ctl_tlb_mode(m->uc, UC_TLB_VIRTUAL);
    uc_hook_add(m->uc, &hook, UC_HOOK_TLB_FILL, (void *)on_translation_miss, m, 1, 0);
    uc_hook_add(m->uc, &hook, UC_HOOK_INTR, (void *)on_interrupt, m, 1, 0);
    watch_invalid_accesses(m);
    timing_attach(m);
    return m;
}

EXPORT int cm4_write_memory(struct machine *m, uint32_t address, const uint8_t *data, uint32_t size)
{
    uint8_t *at = memory_at(m, address, size);
    if (!at)
        return -1;
    memcpy(at, data, size);
    timing_flash_changed(m);
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

/* NRST or SYSRESETREQ: registers start anew, SRAM and virtual time go on. */
EXPORT void cm4_reset(struct machine *m)
{
    static const int CLEARED[] = {UC_ARM_REG_CONTROL, UC_ARM_REG_PRIMASK, UC_ARM_REG_BASEPRI, UC_ARM_REG_FAULTMASK, UC_ARM_REG_R0,
                                  UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R4, UC_ARM_REG_R5, UC_ARM_REG_R6,
                                  UC_ARM_REG_R7, UC_ARM_REG_R8, UC_ARM_REG_R9, UC_ARM_REG_R10, UC_ARM_REG_R11, UC_ARM_REG_R12};
    uint32_t vectors[2];
    bus_reset(m);
    timing_reset(m);
    m->received.tail = m->received.head;
    m->receive_ready_at = 0;
    m->host_uart = NULL;
    m->idle = false;
    m->idle_polls = 0;
    m->requests = 0;
    m->fault = (struct fault){0};
    for (size_t i = 0; i < sizeof CLEARED / sizeof CLEARED[0]; i++)
        write_register(m, CLEARED[i], 0);
    memcpy(vectors, m->flash, sizeof vectors);
    write_register(m, UC_ARM_REG_XPSR, 0x01000000u);
    write_register(m, UC_ARM_REG_LR, 0xFFFFFFFFu);
    write_register(m, UC_ARM_REG_SP, vectors[0] & ~3u);
    write_register(m, UC_ARM_REG_PC, vectors[1] | 1u);
    m->resets++;
}

/* --- running ----------------------------------------------------------------------------------------------------------------------*/

static bool check_pending_fpu(struct machine *m)
{
    uint32_t pc = m->pending_fpu_pc;
    m->pending_fpu_pc = 0;
    if (!pc || fpu_enabled(m))
        return false;
    fault_record(m, FAULT_FPU_DISABLED, pc, 0);
    m->fault.pc = pc;
    return true;
}

/* One run of unicorn, up to the next event; 0 or the reason to return to the host. */
static int run_once(struct machine *m)
{
    uint32_t pc = read_register(m, UC_ARM_REG_PC);
    uc_err error = uc_emu_start(m->uc, pc | 1u, RUN_FOR_EVER, 0, 0);
    bool event = m->ticks >= m->next_event;
    if (m->fault.kind == FAULT_NONE && error == UC_ERR_INSN_INVALID)
        fault_record(m, FAULT_INSTRUCTION, 0, (uint32_t)error);
    if (m->fault.kind == FAULT_NONE && error != UC_ERR_OK)
        fault_record(m, FAULT_OTHER, 0, (uint32_t)error);
    if (m->fault.kind != FAULT_NONE || check_pending_fpu(m))
        return STOP_FAULT;
    if (!event)                     /* WFI or WFE: sleeps until a byte comes */
        m->requests |= m->received.head == m->received.tail ? REQUEST_IDLE : 0;
    if (m->requests & REQUEST_RESET) {
        cm4_reset(m);
        return 0;
    }
    timing_at_stop(m, m->requests & REQUEST_IDLE);
    if (m->requests & REQUEST_PARKED) {
        note_once(m, NOTE_PARKED, pc);
        return STOP_PARKED;
    }
    if (m->requests & REQUEST_LINE) {
        m->requests &= ~(uint32_t)REQUEST_LINE;
        return STOP_LINE;
    }
    if (m->requests & REQUEST_IDLE) {
        m->requests &= ~(uint32_t)REQUEST_IDLE;
        m->idle_polls = 0;
        m->idle = true;
        return STOP_IDLE;
    }
    return m->ticks >= ticks_of_time_ps(m, m->limit_ps) ? STOP_LIMIT : 0;
}

/* Runs until the board is idle, has sent a line, is parked in an endless loop, has crashed, or virtual time reaches until_ps. */
EXPORT int cm4_run(struct machine *m, uint64_t until_ps)
{
    m->limit_ps = until_ps;
    if (m->fault.kind != FAULT_NONE)
        return STOP_FAULT;
    if (m->requests & REQUEST_PARKED)
        return STOP_PARKED;
    if (m->idle && m->received.head == m->received.tail)
        return STOP_IDLE;
    m->idle = false;
    for (;;) {
        int reason;
        plan_next_event(m);
        reason = run_once(m);
        if (reason)
            return reason;
    }
}

/* Lets an idle or parked board wait: virtual time passes, nothing runs. */
EXPORT void cm4_skip_until(struct machine *m, uint64_t time_ps)
{
    uint64_t ticks = ticks_of_time_ps(m, time_ps);
    if (ticks > m->ticks) {
        m->skipped_ticks += ticks - m->ticks;
        m->phase_start_ticks += ticks - m->ticks;   /* waiting is neither profiled nor fast work */
        m->ticks = ticks;
    }
    m->idle = false;
}

/* --- what the host may ask ------------------------------------------------------------------------------------------------------- */

EXPORT void cm4_receive(struct machine *m, const uint8_t *data, uint32_t size)
{
    uint64_t pace = m->constants.receive_pace_cycles;
    if (m->constants.baud)
        pace = 10u * m->hclk_hz / m->constants.baud;
    if (m->received.head == m->received.tail && m->receive_ready_at < m->ticks + pace * TICKS_PER_CYCLE)
        m->receive_ready_at = m->ticks + pace * TICKS_PER_CYCLE;
    for (uint32_t i = 0; i < size; i++)
        bytes_put(&m->received, data[i]);
    m->idle_polls = 0;
}

EXPORT uint32_t cm4_take_output(struct machine *m, uint8_t *data, uint32_t room)
{
    uint32_t count = 0;
    while (count < room && m->sent.tail != m->sent.head)
        data[count++] = m->sent.data[m->sent.tail++];
    return count;
}

EXPORT uint64_t cm4_time_ps(const struct machine *m) { return time_of_ticks_ps(m, m->ticks); }
EXPORT uint64_t cm4_ticks(const struct machine *m) { return m->ticks; }
EXPORT uint64_t cm4_hclk_hz(const struct machine *m) { return m->hclk_hz; }
EXPORT int cm4_profiling(const struct machine *m) { return m->phase == PHASE_PROFILE; }
EXPORT uint32_t cm4_register(struct machine *m, int unicorn_register) { return read_register(m, unicorn_register); }
EXPORT void cm4_fault(const struct machine *m, struct fault *out) { *out = m->fault; }

EXPORT uint32_t cm4_edges(const struct machine *m, uint32_t from, uint64_t *out, uint32_t room)
{
    uint32_t count = 0;
    for (uint32_t i = from; i < m->edge_count && count < room; i++)
        out[count++] = m->edges[i];
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
                               .resets = m->resets};
    timing_statistics(m, out);
    for (int i = 0; i < UARTS; i++) {
        out->bytes_received += m->uarts[i].bytes_received;
        out->bytes_sent += m->uarts[i].bytes_sent;
    }
}
