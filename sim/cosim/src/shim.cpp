// Replays recorded inputs: reads batches of cycles from standard input, writes the outputs of each cycle, sampled
// before its clock edge, to standard output. A batch is a 32-bit count of cycles and as many input vectors.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "V@TOP@.h"
#include "verilated.h"

static constexpr size_t InWords = @IN_WORDS@;
static constexpr size_t OutWords = @OUT_WORDS@;

int main(int argc, char** argv) {
    const std::unique_ptr<VerilatedContext> context{new VerilatedContext};
    context->commandArgs(argc, argv);
    const std::unique_ptr<V@TOP@> top{new V@TOP@{context.get()}};
    top->clk_i = 0;
    for (size_t i = 0; i < InWords; ++i) top->in_i[i] = 0;
    top->eval();
    std::vector<uint32_t> in;
    std::vector<uint32_t> out;
    uint32_t cycles;
    while (std::fread(&cycles, sizeof cycles, 1, stdin) == 1) {
        in.resize(cycles * InWords);
        out.resize(cycles * OutWords);
        if (std::fread(in.data(), sizeof(uint32_t), in.size(), stdin) != in.size()) return 2;
        for (size_t cycle = 0; cycle < cycles; ++cycle) {
            std::memcpy(&top->in_i[0], &in[cycle * InWords], InWords * sizeof(uint32_t));
            top->clk_i = 0;
            top->eval();
            std::memcpy(&out[cycle * OutWords], &top->out_o[0], OutWords * sizeof(uint32_t));
            top->clk_i = 1;
            top->eval();
        }
        if (std::fwrite(out.data(), sizeof(uint32_t), out.size(), stdout) != out.size()) return 3;
        if (std::fflush(stdout) != 0) return 3;
    }
    top->final();
    return 0;
}
