//! What both memory masters share: addresses in beats, and how a transfer is cut into bursts.

use spec::Config;

use crate::rtl::{Expr, ModuleBuilder, Ty, bits_for};

/// Bits of a byte address.
pub const ADDR_BITS: u32 = 32;
/// Bytes that a burst must not cross (AXI4, A3.4.1).
pub const PAGE_BYTES: u32 = 4096;

/// Limits of a master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bursts {
    /// Bursts that may wait for their answers at once, at least 1.
    pub outstanding: u32,
    /// Most beats of a burst, 1..=256.
    pub beats: u32,
}

/// Bytes of a beat.
pub fn beat_bytes(config: &Config) -> u32 {
    config.bus.data_bits / 8
}

/// Bits of a place within a beat, in bytes.
pub fn lane_bits(config: &Config) -> u32 {
    beat_bytes(config).ilog2()
}

/// Bits of an address in beats, and of a count of beats.
pub fn beat_addr_bits(config: &Config) -> u32 {
    ADDR_BITS - lane_bits(config)
}

impl Bursts {
    /// Most beats of a burst: what is asked for, or a page if that is shorter.
    pub fn most(&self, config: &Config) -> u32 {
        self.beats.clamp(1, 256).min(PAGE_BYTES / beat_bytes(config))
    }
}

/// The next burst of a transfer.
pub(super) struct Next {
    /// Its beats, at least 1 while any are left.
    pub beats: Expr,
    /// Whether it ends the transfer.
    pub is_last: Expr,
}

/// The next burst of a transfer at beat `beat_q` with `left_q` beats left: as many as the limit, the page and the transfer
/// allow.
pub(super) fn next_burst(m: &mut ModuleBuilder, config: &Config, most: u32, beat_q: &Expr, left_q: &Expr) -> Next {
    m.section("The next burst: it ends at the latest with its 4 KiB page");
    let page = PAGE_BYTES / beat_bytes(config);
    let place_bits = page.ilog2();
    let bits = bits_for(most.into());
    let place = m.wire("place", &beat_q.part(0, place_bits).extend(place_bits + 1));
    let page_left = m.wire("page_left", &(place.k(page.into()) - &place));
    let limit = if most < page {
        let short = m.wire("page_is_near", &page_left.lt(&page_left.k(most.into())));
        short.mux(&page_left.part(0, bits), &Expr::u(bits, most.into()))
    } else {
        page_left.part(0, bits)
    };
    let limit = m.wire("limit", &limit);
    let wide = left_q.width().max(bits);
    let left = m.wire("left", &left_q.extend(wide));
    let is_last = m.wire("is_last", &left.le(&limit.extend(wide)));
    let beats = m.wire("burst", &is_last.mux(&left.part(0, bits), &limit));
    Next { beats, is_last }
}

/// A beat's address in bytes.
pub(super) fn byte_addr(config: &Config, beat: &Expr) -> Expr {
    Expr::concat(&[beat.clone(), Expr::u(lane_bits(config), 0)])
}

/// The first error response: sticky flag, response and byte address.
pub(super) fn first_error(m: &mut ModuleBuilder, config: &Config, bad: &Expr, resp: &Expr, beat: &Expr) {
    m.section("The first error response");
    let error_q = m.reg("error_q", Ty::bit());
    m.next_reset(&error_q, 0, None, &(&error_q | bad));
    let first = m.wire("first_error", &(bad & !&error_q));
    let resp_q = m.pipe_if("error_resp_q", &first, resp);
    let addr_q = m.pipe_if("error_beat_q", &first, beat);
    m.output_is("error_o", &error_q);
    m.output_is("error_resp_o", &resp_q);
    m.output_is("error_addr_o", &byte_addr(config, &addr_q));
}
