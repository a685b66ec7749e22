// Replays input vectors from standard input and dumps every signal once a cycle, before the clock edge, to the file
// named by the first argument.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

#include "V@TOP@.h"
#include "verilated.h"
#include "verilated_@KIND@_c.h"

static constexpr size_t InWords = @IN_WORDS@;

int main(int argc, char** argv) {
    const std::unique_ptr<VerilatedContext> context{new VerilatedContext};
    context->commandArgs(argc, argv);
    context->traceEverOn(true);
    const std::unique_ptr<V@TOP@> top{new V@TOP@{context.get()}};
    @TRACE@ trace;
    top->trace(&trace, 99);
    trace.open(argv[1]);
    top->clk_i = 0;
    for (size_t i = 0; i < InWords; ++i) top->in_i[i] = 0;
    top->eval();
    std::vector<uint32_t> in(InWords);
    for (uint64_t cycle = 0; std::fread(in.data(), sizeof(uint32_t), InWords, stdin) == InWords; ++cycle) {
        for (size_t i = 0; i < InWords; ++i) top->in_i[i] = in[i];
        top->clk_i = 0;
        top->eval();
        trace.dump(cycle);
        top->clk_i = 1;
        top->eval();
    }
    trace.close();
    top->final();
    return 0;
}
