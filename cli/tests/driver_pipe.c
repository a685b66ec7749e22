/* The driver over a pipe: every access is a line, which the other side answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "systole_driver.h"

static unsigned pauses;

static unsigned long answer(void) {
  char line[64];
  fflush(stdout);
  if (fgets(line, sizeof line, stdin) == 0) exit(3);
  return strtoul(line, 0, 16);
}

static uint32_t read_reg(void *user, uint32_t offset) {
  (void)user;
  printf("r %x\n", (unsigned)offset);
  return (uint32_t)answer();
}

static void write_reg(void *user, uint32_t offset, uint32_t value) {
  (void)user;
  printf("w %x %x\n", (unsigned)offset, (unsigned)value);
  (void)answer();
}

static void read_mem(void *user, uint32_t addr, void *bytes, uint32_t count) {
  uint32_t i;
  (void)user;
  for (i = 0; i < count; i++) {
    printf("m %x\n", (unsigned)(addr + i));
    ((uint8_t *)bytes)[i] = (uint8_t)answer();
  }
}

static void write_mem(void *user, uint32_t addr, const void *bytes, uint32_t count) {
  uint32_t i;
  (void)user;
  printf("M %x ", (unsigned)addr);
  for (i = 0; i < count; i++) printf("%02x", ((const uint8_t *)bytes)[i]);
  printf("\n");
  (void)answer();
}

static void pause_a_while(void *user) {
  (void)user;
  pauses++;
  printf("p\n");
  (void)answer();
}

static void say(const char *what, unsigned long value) {
  printf("= %s %lx\n", what, value);
  (void)answer();
}

int main(int argc, char **argv) {
  systole_device device = {read_reg, write_reg, read_mem, write_mem, pause_a_while, 0};
  systole_info info;
  systole_program program;
  systole_fault fault;
  systole_output output;
  systole_result result;
  uint8_t *image;
  long bytes;
  uint32_t i, id;
  FILE *file = argc > 1 ? fopen(argv[1], "rb") : 0;
  if (file == 0 || fseek(file, 0, SEEK_END) != 0 || (bytes = ftell(file)) <= 0) return 2;
  rewind(file);
  image = malloc((size_t)bytes);
  if (image == 0 || fread(image, 1, (size_t)bytes, file) != (size_t)bytes) return 2;
  fclose(file);
  result = systole_probe(&device, &info);
  say("probe", result);
  if (result != SYSTOLE_OK) return 0;
  say("rows", info.rows);
  say("cols", info.cols);
  say("lanes", info.lanes);
  say("bus", info.bus_bits);
  say("before", systole_poll(&device));
  image[bytes - 1] ^= 1;
  say("damaged", systole_check(&device, image, (uint32_t)bytes));
  image[bytes - 1] ^= 1;
  say("short", systole_check(&device, image, (uint32_t)bytes - 4u));
  say("short", systole_check(&device, image, 8u));
  image[8] ^= 1;
  say("foreign", systole_check(&device, image, (uint32_t)bytes));
  image[8] ^= 1;
  result = systole_load(&device, image, (uint32_t)bytes, &program);
  say("load", result);
  if (result != SYSTOLE_OK) return 0;
  systole_start(&device, &program);
  say("busy", systole_poll(&device));
  say("timeout", systole_wait(&device, 1u));
  say("reset", systole_soft_reset(&device, 1000u));
  say("stopped", systole_poll(&device));
  systole_start(&device, &program);
  result = systole_wait(&device, 1000000u);
  say("wait", result);
  say("events", systole_interrupt(&device));
  say("again", systole_interrupt(&device));
  (void)systole_fault_read(&device, &fault);
  say("code", fault.code);
  say("fault_addr", fault.addr);
  printf("= name %s\n", fault.name);
  (void)answer();
  if (result == SYSTOLE_OK) {
    uint64_t causes = 0;
    for (i = 0; i < SYSTOLE_CAUSE_COUNT; i++) causes += systole_counter(&device, SYSTOLE_CAUSE_FIRST + i);
    say("cycles", (unsigned long)systole_counter(&device, SYSTOLE_COUNTER_CYCLES));
    say("causes", (unsigned long)causes);
    say("instructions", (unsigned long)systole_counter(&device, SYSTOLE_COUNTER_INSTRUCTIONS));
    for (i = 0; systole_token(&device, &program, i, &id) == SYSTOLE_OK; i++) say("token", id);
    say("logits", systole_find(&program, SYSTOLE_LOGITS, &output));
  }
  say("pauses", pauses);
  free(image);
  return 0;
}
