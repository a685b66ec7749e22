/* See systole_driver.h. */
#include "systole_driver.h"

/* Words of an image's header, of a piece, of an output; places of words in the header. */
#define HEADER_WORDS 12u
#define PIECE_WORDS 4u
#define OUTPUT_WORDS 6u
#define IMAGE_MAGIC 0x49535953u
#define IMAGE_VERSION 1u
enum { MAGIC, VERSION, HASH_LO, HASH_HI, BYTES, CRC, FIRST, SPAN, CODE_ADDR, CODE_LENGTH, PIECES, OUTPUTS };

#define START SYSTOLE_CONTROL_START_MASK
#define SOFT_RESET SYSTOLE_CONTROL_SOFT_RESET_MASK
#define EVENTS (SYSTOLE_IRQ_STATUS_DONE_MASK | SYSTOLE_IRQ_STATUS_ERROR_MASK)

static uint32_t get(const systole_device *device, uint32_t offset) { return device->read_reg(device->user, offset); }

static void put(const systole_device *device, uint32_t offset, uint32_t value) {
  device->write_reg(device->user, offset, value);
}

static uint32_t field(uint32_t word, uint32_t mask, uint32_t lsb) { return (word & mask) >> lsb; }

/* A number of 32 bits, little endian, at any address. */
static uint32_t le32(const uint8_t *bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint32_t word(const uint8_t *image, uint32_t index) { return le32(image + 4u * index); }

/* CRC-32 of IEEE 802.3, reflected, four bits at a time. */
static uint32_t crc32(const uint8_t *bytes, uint32_t count) {
  static const uint32_t table[16] = {0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u,
                                     0x4db26158u, 0x5005713cu, 0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu,
                                     0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu};
  uint32_t crc = 0xffffffffu;
  uint32_t i;
  for (i = 0; i < count; i++) {
    crc = crc >> 4 ^ table[(crc ^ bytes[i]) & 15u];
    crc = crc >> 4 ^ table[(crc ^ (uint32_t)bytes[i] >> 4) & 15u];
  }
  return ~crc;
}

/* Registers and memory in the address space. */
static uint32_t mmio_read_reg(void *user, uint32_t offset) { return ((systole_mmio *)user)->registers[offset / 4u]; }

static void mmio_write_reg(void *user, uint32_t offset, uint32_t value) {
  ((systole_mmio *)user)->registers[offset / 4u] = value;
}

static void mmio_read_mem(void *user, uint32_t addr, void *bytes, uint32_t count) {
  const systole_mmio *mmio = (const systole_mmio *)user;
  uint8_t *to = (uint8_t *)bytes;
  uint32_t i;
  for (i = 0; i < count; i++) to[i] = mmio->memory[addr - mmio->base + i];
}

static void mmio_write_mem(void *user, uint32_t addr, const void *bytes, uint32_t count) {
  const systole_mmio *mmio = (const systole_mmio *)user;
  const uint8_t *from = (const uint8_t *)bytes;
  uint32_t i;
  for (i = 0; i < count; i++) mmio->memory[addr - mmio->base + i] = from[i];
}

systole_device systole_mmio_device(systole_mmio *mmio) {
  systole_device device = {mmio_read_reg, mmio_write_reg, mmio_read_mem, mmio_write_mem, 0, 0};
  device.user = mmio;
  return device;
}

systole_result systole_probe(const systole_device *device, systole_info *info) {
  uint32_t array;
  if (get(device, SYSTOLE_ID_OFFSET) != SYSTOLE_ID_RESET) return SYSTOLE_NO_DEVICE;
  array = get(device, SYSTOLE_CONFIG_ARRAY_OFFSET);
  info->version = get(device, SYSTOLE_VERSION_OFFSET);
  info->config_hash[0] = get(device, SYSTOLE_CONFIG_HASH_LO_OFFSET);
  info->config_hash[1] = get(device, SYSTOLE_CONFIG_HASH_HI_OFFSET);
  info->rows = field(array, SYSTOLE_CONFIG_ARRAY_ROWS_MASK, SYSTOLE_CONFIG_ARRAY_ROWS_LSB);
  info->cols = field(array, SYSTOLE_CONFIG_ARRAY_COLS_MASK, SYSTOLE_CONFIG_ARRAY_COLS_LSB);
  info->lanes = field(array, SYSTOLE_CONFIG_ARRAY_LANES_MASK, SYSTOLE_CONFIG_ARRAY_LANES_LSB);
  info->bus_bits = field(get(device, SYSTOLE_CONFIG_BUS_OFFSET), SYSTOLE_CONFIG_BUS_DATA_BITS_MASK,
                         SYSTOLE_CONFIG_BUS_DATA_BITS_LSB);
  info->formats = get(device, SYSTOLE_CONFIG_FORMATS_OFFSET);
  return SYSTOLE_OK;
}

systole_result systole_check(const systole_device *device, const void *image, uint32_t bytes) {
  const uint8_t *from = (const uint8_t *)image;
  systole_info info;
  systole_result result = systole_probe(device, &info);
  uint32_t tables, i;
  if (result != SYSTOLE_OK) return result;
  if (bytes < 4u * HEADER_WORDS || word(from, MAGIC) != IMAGE_MAGIC || word(from, VERSION) != IMAGE_VERSION ||
      word(from, BYTES) != bytes || crc32(from + 4u * HEADER_WORDS, bytes - 4u * HEADER_WORDS) != word(from, CRC))
    return SYSTOLE_BAD_IMAGE;
  /* The checksum holds; what follows keeps a wrong image from being read beyond its end. */
  if (word(from, PIECES) > bytes / 16u || word(from, OUTPUTS) > bytes / 24u) return SYSTOLE_BAD_IMAGE;
  tables = 4u * (HEADER_WORDS + PIECE_WORDS * word(from, PIECES) + OUTPUT_WORDS * word(from, OUTPUTS));
  if (tables > bytes) return SYSTOLE_BAD_IMAGE;
  for (i = 0; i < word(from, PIECES); i++) {
    const uint8_t *piece = from + 4u * (HEADER_WORDS + PIECE_WORDS * i);
    uint32_t data = word(piece, 2), offset = word(piece, 3);
    if (data > word(piece, 1) || offset > bytes || data > bytes - offset) return SYSTOLE_BAD_IMAGE;
  }
  if (word(from, HASH_LO) != info.config_hash[0] || word(from, HASH_HI) != info.config_hash[1]) return SYSTOLE_FOREIGN;
  return SYSTOLE_OK;
}

systole_result systole_load(const systole_device *device, const void *image, uint32_t bytes, systole_program *program) {
  static const uint8_t zeros[64];
  const uint8_t *from = (const uint8_t *)image;
  systole_result result = systole_check(device, image, bytes);
  uint32_t i;
  if (result != SYSTOLE_OK) return result;
  for (i = 0; i < word(from, PIECES); i++) {
    const uint8_t *piece = from + 4u * (HEADER_WORDS + PIECE_WORDS * i);
    uint32_t addr = word(piece, 0), length = word(piece, 1), done = word(piece, 2);
    if (done > 0u) device->write_mem(device->user, addr, from + word(piece, 3), done);
    while (done < length) {
      uint32_t count = length - done < sizeof zeros ? length - done : (uint32_t)sizeof zeros;
      device->write_mem(device->user, addr + done, zeros, count);
      done += count;
    }
  }
  program->image = from;
  program->addr = word(from, CODE_ADDR);
  program->length = word(from, CODE_LENGTH);
  return SYSTOLE_OK;
}

void systole_start(const systole_device *device, const systole_program *program) {
  put(device, SYSTOLE_PROGRAM_ADDR_OFFSET, program->addr);
  put(device, SYSTOLE_PROGRAM_LENGTH_OFFSET, program->length);
  put(device, SYSTOLE_IRQ_STATUS_OFFSET, EVENTS);
  put(device, SYSTOLE_IRQ_ENABLE_OFFSET, EVENTS);
  put(device, SYSTOLE_CONTROL_OFFSET, START);
}

systole_result systole_poll(const systole_device *device) {
  uint32_t status = get(device, SYSTOLE_STATUS_OFFSET);
  if ((status & SYSTOLE_STATUS_BUSY_MASK) != 0u) return SYSTOLE_BUSY;
  if ((status & SYSTOLE_STATUS_ERROR_MASK) != 0u) return SYSTOLE_STOPPED;
  return (status & SYSTOLE_STATUS_DONE_MASK) != 0u ? SYSTOLE_OK : SYSTOLE_UNSTARTED;
}

systole_result systole_wait(const systole_device *device, uint32_t polls) {
  while (polls-- > 0u) {
    systole_result result = systole_poll(device);
    if (result != SYSTOLE_BUSY) return result;
    if (device->pause != 0) device->pause(device->user);
  }
  return SYSTOLE_TIMEOUT;
}

uint32_t systole_interrupt(const systole_device *device) {
  uint32_t events = get(device, SYSTOLE_IRQ_STATUS_OFFSET);
  put(device, SYSTOLE_IRQ_STATUS_OFFSET, events);
  return events;
}

systole_result systole_soft_reset(const systole_device *device, uint32_t polls) {
  put(device, SYSTOLE_CONTROL_OFFSET, SOFT_RESET);
  while (polls-- > 0u) {
    if ((get(device, SYSTOLE_STATUS_OFFSET) & SYSTOLE_STATUS_BUSY_MASK) == 0u) return SYSTOLE_OK;
    if (device->pause != 0) device->pause(device->user);
  }
  return SYSTOLE_TIMEOUT;
}

systole_result systole_fault_read(const systole_device *device, systole_fault *fault) {
  static const char *const names[] = SYSTOLE_ERROR_NAMES;
  static const char *const meanings[] = SYSTOLE_ERROR_MEANINGS;
  uint32_t status = get(device, SYSTOLE_STATUS_OFFSET);
  int failed = (status & SYSTOLE_STATUS_ERROR_MASK) != 0u;
  fault->code = failed ? field(status, SYSTOLE_STATUS_CODE_MASK, SYSTOLE_STATUS_CODE_LSB) : 0u;
  fault->addr = failed ? get(device, SYSTOLE_ERROR_ADDR_OFFSET) : 0u;
  fault->detail = failed ? get(device, SYSTOLE_ERROR_DETAIL_OFFSET) : 0u;
  fault->name = fault->code < SYSTOLE_ERROR_COUNT ? names[fault->code] : "?";
  fault->meaning = fault->code < SYSTOLE_ERROR_COUNT ? meanings[fault->code] : "an unknown error";
  return failed ? SYSTOLE_STOPPED : SYSTOLE_OK;
}

uint64_t systole_counter(const systole_device *device, uint32_t index) {
  uint32_t low = get(device, SYSTOLE_COUNTER_LO(index));
  return (uint64_t)get(device, SYSTOLE_COUNTER_HI(index)) << 32 | low;
}

systole_result systole_find(const systole_program *program, systole_kind kind, systole_output *output) {
  const uint8_t *table = program->image + 4u * (HEADER_WORDS + PIECE_WORDS * word(program->image, PIECES));
  uint32_t i;
  for (i = 0; i < word(program->image, OUTPUTS); i++, table += 4u * OUTPUT_WORDS) {
    if (word(table, 0) == (uint32_t)kind) {
      output->addr = word(table, 1);
      output->rows = word(table, 2);
      output->cols = word(table, 3);
      output->stride = word(table, 4);
      output->value_bytes = word(table, 5);
      return SYSTOLE_OK;
    }
  }
  return SYSTOLE_NO_OUTPUT;
}

systole_result systole_token(const systole_device *device, const systole_program *program, uint32_t row, uint32_t *id) {
  uint8_t bytes[4];
  systole_output output;
  systole_result result = systole_find(program, SYSTOLE_TOKENS, &output);
  if (result != SYSTOLE_OK) return result;
  if (row >= output.rows) return SYSTOLE_NO_OUTPUT;
  device->read_mem(device->user, output.addr + row * output.stride, bytes, (uint32_t)sizeof bytes);
  *id = le32(bytes);
  return SYSTOLE_OK;
}
