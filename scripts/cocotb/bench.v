// The accelerator and the protocol monitor on its memory port, for cocotb. TOP, MONITOR and DATA_BITS are given.
// fault plants a breach of AXI4 between the accelerator and the bus: 1 a valid falls before its ready, 2 write data
// change while they wait, 3 wlast is wrong, 4 a burst leaves its page.

`timescale 1ns / 1ps
`default_nettype none

module bench;

  reg clk_i = 1'b0;
  reg rst_ni = 1'b0;
  wire irq_o;
  wire [31:0] breaches;
  reg [2:0] fault = 3'd0;
  reg s_axil_awvalid = 0;
  wire s_axil_awready;
  reg [11:0] s_axil_awaddr = 0;
  reg [2:0] s_axil_awprot = 0;
  reg s_axil_wvalid = 0;
  wire s_axil_wready;
  reg [31:0] s_axil_wdata = 0;
  reg [3:0] s_axil_wstrb = 0;
  wire s_axil_bvalid;
  reg s_axil_bready = 0;
  wire [1:0] s_axil_bresp;
  reg s_axil_arvalid = 0;
  wire s_axil_arready;
  reg [11:0] s_axil_araddr = 0;
  reg [2:0] s_axil_arprot = 0;
  wire s_axil_rvalid;
  reg s_axil_rready = 0;
  wire [31:0] s_axil_rdata;
  wire [1:0] s_axil_rresp;
  wire m_axi_awvalid;
  reg m_axi_awready = 0;
  wire [0:0] m_axi_awid;
  wire [31:0] m_axi_awaddr;
  wire [7:0] m_axi_awlen;
  wire [2:0] m_axi_awsize;
  wire [1:0] m_axi_awburst;
  wire m_axi_awlock;
  wire [3:0] m_axi_awcache;
  wire [2:0] m_axi_awprot;
  wire [3:0] m_axi_awqos;
  wire m_axi_arvalid;
  reg m_axi_arready = 0;
  wire [0:0] m_axi_arid;
  wire [31:0] m_axi_araddr;
  wire [7:0] m_axi_arlen;
  wire [2:0] m_axi_arsize;
  wire [1:0] m_axi_arburst;
  wire m_axi_arlock;
  wire [3:0] m_axi_arcache;
  wire [2:0] m_axi_arprot;
  wire [3:0] m_axi_arqos;
  wire m_axi_wvalid;
  reg m_axi_wready = 0;
  wire [`DATA_BITS-1:0] m_axi_wdata;
  wire [`DATA_BITS/8-1:0] m_axi_wstrb;
  wire m_axi_wlast;
  reg m_axi_bvalid = 0;
  wire m_axi_bready;
  reg [0:0] m_axi_bid = 0;
  reg [1:0] m_axi_bresp = 0;
  reg m_axi_rvalid = 0;
  wire m_axi_rready;
  reg [0:0] m_axi_rid = 0;
  reg [`DATA_BITS-1:0] m_axi_rdata = 0;
  reg [1:0] m_axi_rresp = 0;
  reg m_axi_rlast = 0;

  wire dut_arvalid;
  wire [31:0] dut_araddr;
  wire [7:0] dut_arlen;
  wire [`DATA_BITS-1:0] dut_wdata;
  wire dut_wlast;
  reg ar_waited_q = 1'b0;
  reg w_waited_q = 1'b0;
  always @(posedge clk_i) begin
    ar_waited_q <= dut_arvalid && !m_axi_arready;
    w_waited_q <= m_axi_wvalid && !m_axi_wready;
  end
  assign m_axi_arvalid = dut_arvalid && !(fault == 3'd1 && ar_waited_q);
  assign m_axi_araddr = dut_araddr;
  assign m_axi_arlen = dut_arlen;
  assign m_axi_wdata = dut_wdata ^ (fault == 3'd2 && w_waited_q ? 1 : 0);
  assign m_axi_wlast = dut_wlast;
  // The memory of cocotbext-axi stops at these: only the monitor is shown them.
  wire [31:0] seen_araddr = fault == 3'd4 ? dut_araddr | 32'd4096 - `DATA_BITS / 8 : dut_araddr;
  wire [7:0] seen_arlen = fault == 3'd4 ? dut_arlen | 8'd1 : dut_arlen;
  wire seen_wlast = dut_wlast ^ (fault == 3'd3);

  `TOP u_dut (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .irq_o(irq_o),
    .s_axil_awvalid(s_axil_awvalid),
    .s_axil_awready(s_axil_awready),
    .s_axil_awaddr(s_axil_awaddr),
    .s_axil_awprot(s_axil_awprot),
    .s_axil_wvalid(s_axil_wvalid),
    .s_axil_wready(s_axil_wready),
    .s_axil_wdata(s_axil_wdata),
    .s_axil_wstrb(s_axil_wstrb),
    .s_axil_bvalid(s_axil_bvalid),
    .s_axil_bready(s_axil_bready),
    .s_axil_bresp(s_axil_bresp),
    .s_axil_arvalid(s_axil_arvalid),
    .s_axil_arready(s_axil_arready),
    .s_axil_araddr(s_axil_araddr),
    .s_axil_arprot(s_axil_arprot),
    .s_axil_rvalid(s_axil_rvalid),
    .s_axil_rready(s_axil_rready),
    .s_axil_rdata(s_axil_rdata),
    .s_axil_rresp(s_axil_rresp),
    .m_axi_awvalid(m_axi_awvalid),
    .m_axi_awready(m_axi_awready),
    .m_axi_awid(m_axi_awid),
    .m_axi_awaddr(m_axi_awaddr),
    .m_axi_awlen(m_axi_awlen),
    .m_axi_awsize(m_axi_awsize),
    .m_axi_awburst(m_axi_awburst),
    .m_axi_awlock(m_axi_awlock),
    .m_axi_awcache(m_axi_awcache),
    .m_axi_awprot(m_axi_awprot),
    .m_axi_awqos(m_axi_awqos),
    .m_axi_arvalid(dut_arvalid),
    .m_axi_arready(m_axi_arready),
    .m_axi_arid(m_axi_arid),
    .m_axi_araddr(dut_araddr),
    .m_axi_arlen(dut_arlen),
    .m_axi_arsize(m_axi_arsize),
    .m_axi_arburst(m_axi_arburst),
    .m_axi_arlock(m_axi_arlock),
    .m_axi_arcache(m_axi_arcache),
    .m_axi_arprot(m_axi_arprot),
    .m_axi_arqos(m_axi_arqos),
    .m_axi_wvalid(m_axi_wvalid),
    .m_axi_wready(m_axi_wready),
    .m_axi_wdata(dut_wdata),
    .m_axi_wstrb(m_axi_wstrb),
    .m_axi_wlast(dut_wlast),
    .m_axi_bvalid(m_axi_bvalid),
    .m_axi_bready(m_axi_bready),
    .m_axi_bid(m_axi_bid),
    .m_axi_bresp(m_axi_bresp),
    .m_axi_rvalid(m_axi_rvalid),
    .m_axi_rready(m_axi_rready),
    .m_axi_rid(m_axi_rid),
    .m_axi_rdata(m_axi_rdata),
    .m_axi_rresp(m_axi_rresp),
    .m_axi_rlast(m_axi_rlast)
  );

  `MONITOR u_monitor (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .arvalid_i(m_axi_arvalid),
    .arready_i(m_axi_arready),
    .araddr_i(seen_araddr),
    .arlen_i(seen_arlen),
    .rvalid_i(m_axi_rvalid),
    .rready_i(m_axi_rready),
    .rdata_i(m_axi_rdata),
    .rresp_i(m_axi_rresp),
    .rlast_i(m_axi_rlast),
    .awvalid_i(m_axi_awvalid),
    .awready_i(m_axi_awready),
    .awaddr_i(m_axi_awaddr),
    .awlen_i(m_axi_awlen),
    .wvalid_i(m_axi_wvalid),
    .wready_i(m_axi_wready),
    .wdata_i(m_axi_wdata),
    .wstrb_i(m_axi_wstrb),
    .wlast_i(seen_wlast),
    .bvalid_i(m_axi_bvalid),
    .bready_i(m_axi_bready),
    .bresp_i(m_axi_bresp),
    .errors_o(breaches)
  );

endmodule

`default_nettype wire
