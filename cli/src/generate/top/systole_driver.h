/* Driver of the accelerator for bare metal, C99, without a library and without an allocator.
 *
 *   systole_mmio mmio = {(volatile uint32_t *)0x43c00000u, (volatile uint8_t *)0x10000000u, 0x10000000u};
 *   systole_device device = systole_mmio_device(&mmio);
 *   systole_info info;
 *   systole_program program;
 *   if (systole_probe(&device, &info) == SYSTOLE_OK &&
 *       systole_load(&device, image, image_bytes, &program) == SYSTOLE_OK) {
 *     systole_start(&device, &program);
 *     if (systole_wait(&device, 100000000u) == SYSTOLE_OK) { ... systole_token(&device, &program, 0u, &id) ... }
 *   }
 *
 * An image is what `systole image` makes of a program file. Addresses are the accelerator's own, those of m_axi.
 */
#ifndef SYSTOLE_DRIVER_H
#define SYSTOLE_DRIVER_H

#include <stdint.h>

#include "systole.h"

/* What a function says. */
typedef enum {
  SYSTOLE_OK = 0,
  SYSTOLE_BUSY,      /* the program still runs */
  SYSTOLE_STOPPED,   /* an error ended the program: systole_fault_read tells which */
  SYSTOLE_TIMEOUT,   /* it did not end in time */
  SYSTOLE_NO_DEVICE, /* ID does not read "SYST": wrong base address, no clock, or held in reset */
  SYSTOLE_BAD_IMAGE, /* not an image, another version, cut off or damaged */
  SYSTOLE_FOREIGN,   /* the image is for another configuration of the hardware */
  SYSTOLE_NO_OUTPUT, /* the program has no such output or row */
  SYSTOLE_UNSTARTED  /* no program has ended since the last start or reset */
} systole_result;

/* The way to the hardware. Memory must be seen by the accelerator as it is written here: map it uncached, or let
 * write_mem clean and read_mem invalidate the cache. */
typedef struct {
  uint32_t (*read_reg)(void *user, uint32_t offset);
  void (*write_reg)(void *user, uint32_t offset, uint32_t value);
  void (*read_mem)(void *user, uint32_t addr, void *bytes, uint32_t count);
  void (*write_mem)(void *user, uint32_t addr, const void *bytes, uint32_t count);
  void (*pause)(void *user); /* between two polls, for instance wfi; may be 0 */
  void *user;
} systole_device;

/* Registers and memory that are mapped into the address space. memory[0] is the accelerator's address base. */
typedef struct {
  volatile uint32_t *registers;
  volatile uint8_t *memory;
  uint32_t base;
} systole_mmio;

/* What answers. */
typedef struct {
  uint32_t version;        /* major << 16 | minor << 8 | patch */
  uint32_t config_hash[2]; /* low, high */
  uint32_t rows, cols, lanes;
  uint32_t bus_bits;
  uint32_t formats; /* bit f: the array takes number format f */
} systole_info;

/* A program in memory. It keeps a pointer to its image, for its outputs. */
typedef struct {
  const uint8_t *image;
  uint32_t addr, length;
} systole_program;

/* Kinds of outputs. */
typedef enum { SYSTOLE_TOKENS = 0, SYSTOLE_LOGITS = 1, SYSTOLE_STEPS = 2 } systole_kind;

/* Where results stand: row r, value c at addr + r * stride + c * value_bytes, little endian. */
typedef struct {
  uint32_t addr, rows, cols, stride, value_bytes;
} systole_output;

/* What ended a program. */
typedef struct {
  uint32_t code, addr, detail;
  const char *name, *meaning;
} systole_fault;

systole_device systole_mmio_device(systole_mmio *mmio);

/* Identity and configuration. */
systole_result systole_probe(const systole_device *device, systole_info *info);

/* Whether an image is whole and for this hardware. */
systole_result systole_check(const systole_device *device, const void *image, uint32_t bytes);

/* Checks an image and puts it into memory. The image must stay where it is while the program is used. */
systole_result systole_load(const systole_device *device, const void *image, uint32_t bytes, systole_program *program);

/* Starts a program; its end or an error raises the interrupt. */
void systole_start(const systole_device *device, const systole_program *program);

/* How far the program is: OK at its end, BUSY, STOPPED or UNSTARTED. */
systole_result systole_poll(const systole_device *device);

/* Polls until the end, at most so many times. */
systole_result systole_wait(const systole_device *device, uint32_t polls);

/* For an interrupt handler: clears the interrupt and says what raised it (SYSTOLE_IRQ_STATUS_*_MASK). */
uint32_t systole_interrupt(const systole_device *device);

/* Ends whatever runs; TIMEOUT if the memory does not answer. */
systole_result systole_soft_reset(const systole_device *device, uint32_t polls);

/* The first error since the last start; OK and code 0 if there is none. */
systole_result systole_fault_read(const systole_device *device, systole_fault *fault);

/* A counter of the last run: SYSTOLE_COUNTER_*. */
uint64_t systole_counter(const systole_device *device, uint32_t index);

/* Where an output of a program stands. */
systole_result systole_find(const systole_program *program, systole_kind kind, systole_output *output);

/* Generated token number row, after the program has ended. */
systole_result systole_token(const systole_device *device, const systole_program *program, uint32_t row, uint32_t *id);

#endif
