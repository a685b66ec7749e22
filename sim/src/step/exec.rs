//! State and instructions: operators over one value or over many lanes of a `u32` or `u64` arena.

use super::memory::Mem;
use super::wide::{Gather, Tables};

/// All values of a design.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Values up to 32 bits, extended to 32 by their sign.
    pub half: Vec<u32>,
    /// Values up to 64 bits, extended likewise, and wide ones as limbs.
    pub full: Vec<u64>,
    pub mems: Vec<Mem>,
}

pub(super) type Kernel = fn(&mut State, &Tables, &Instr);

/// One instruction. Vector and wide results stand above their operands in the arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instr {
    pub run: Kernel,
    /// Lanes or limbs.
    pub n: u32,
    pub dst: u32,
    pub a: u32,
    pub b: u32,
    pub c: u32,
    pub sh: u8,
    pub sh2: u8,
}

/// The arenas below a result.
pub(super) struct Lower<'a> {
    pub half: &'a [u32],
    pub full: &'a [u64],
}

/// An element of an arena.
pub(super) trait Lane: Copy + Default + PartialEq + PartialOrd + 'static {
    const BITS: u32;
    fn arena(s: &State) -> &[Self];
    fn arena_mut(s: &mut State) -> &mut Vec<Self>;
    fn split(s: &mut State, dst: usize) -> (Lower<'_>, &mut [Self]);
    fn of<'a>(lower: &Lower<'a>) -> &'a [Self];
    fn add(self, o: Self) -> Self;
    fn sub(self, o: Self) -> Self;
    fn mul(self, o: Self) -> Self;
    fn and(self, o: Self) -> Self;
    fn or(self, o: Self) -> Self;
    fn xor(self, o: Self) -> Self;
    fn shl(self, n: u32) -> Self;
    fn shr(self, n: u32) -> Self;
    fn sar(self, n: u32) -> Self;
    fn less(self, o: Self) -> bool;
    fn parity(self) -> u32;
}

macro_rules! lane {
    ($t:ty, $i:ty, $arena:ident, |$s:ident, $dst:ident| $split:expr) => {
        impl Lane for $t {
            const BITS: u32 = <$t>::BITS;
            #[inline(always)]
            fn arena(s: &State) -> &[Self] {
                &s.$arena
            }
            #[inline(always)]
            fn arena_mut(s: &mut State) -> &mut Vec<Self> {
                &mut s.$arena
            }
            #[inline(always)]
            fn split($s: &mut State, $dst: usize) -> (Lower<'_>, &mut [Self]) {
                $split
            }
            #[inline(always)]
            fn of<'a>(lower: &Lower<'a>) -> &'a [Self] {
                lower.$arena
            }
            #[inline(always)]
            fn add(self, o: Self) -> Self {
                self.wrapping_add(o)
            }
            #[inline(always)]
            fn sub(self, o: Self) -> Self {
                self.wrapping_sub(o)
            }
            #[inline(always)]
            fn mul(self, o: Self) -> Self {
                self.wrapping_mul(o)
            }
            #[inline(always)]
            fn and(self, o: Self) -> Self {
                self & o
            }
            #[inline(always)]
            fn or(self, o: Self) -> Self {
                self | o
            }
            #[inline(always)]
            fn xor(self, o: Self) -> Self {
                self ^ o
            }
            #[inline(always)]
            fn shl(self, n: u32) -> Self {
                self.wrapping_shl(n)
            }
            #[inline(always)]
            fn shr(self, n: u32) -> Self {
                self.wrapping_shr(n)
            }
            #[inline(always)]
            fn sar(self, n: u32) -> Self {
                (self as $i).wrapping_shr(n) as $t
            }
            #[inline(always)]
            fn less(self, o: Self) -> bool {
                (self as $i) < (o as $i)
            }
            #[inline(always)]
            fn parity(self) -> u32 {
                self.count_ones() & 1
            }
        }
    };
}

lane!(u32, i32, half, |s, dst| {
    let (low, high) = s.half.split_at_mut(dst);
    (Lower { half: low, full: &s.full }, high)
});
lane!(u64, i64, full, |s, dst| {
    let (low, high) = s.full.split_at_mut(dst);
    (Lower { half: &s.half, full: low }, high)
});

/// An operator of up to three operands of types `A`, `B`, `C` with two constants.
pub(super) trait Fun<A, B, C, D> {
    fn f(a: A, b: B, c: C, sh: u32, sh2: u32) -> D;
}

/// One value, one operand.
pub(super) fn scalar1<A: Lane, D: Lane, F: Fun<A, A, A, D>>(s: &mut State, _: &Tables, i: &Instr) {
    let a = A::arena(s)[i.a as usize];
    D::arena_mut(s)[i.dst as usize] = F::f(a, a, a, i.sh.into(), i.sh2.into());
}

/// One value, two operands.
pub(super) fn scalar2<A: Lane, B: Lane, D: Lane, F: Fun<A, B, A, D>>(s: &mut State, _: &Tables, i: &Instr) {
    let a = A::arena(s)[i.a as usize];
    let b = B::arena(s)[i.b as usize];
    D::arena_mut(s)[i.dst as usize] = F::f(a, b, a, i.sh.into(), i.sh2.into());
}

/// One value, three operands.
pub(super) fn scalar3<A: Lane, B: Lane, C: Lane, D: Lane, F: Fun<A, B, C, D>>(s: &mut State, _: &Tables, i: &Instr) {
    let a = A::arena(s)[i.a as usize];
    let b = B::arena(s)[i.b as usize];
    let c = C::arena(s)[i.c as usize];
    D::arena_mut(s)[i.dst as usize] = F::f(a, b, c, i.sh.into(), i.sh2.into());
}

/// `n` lanes, one operand.
pub(super) fn vector1<A: Lane, D: Lane, F: Fun<A, A, A, D>>(s: &mut State, t: &Tables, i: &Instr) {
    let n = i.n as usize;
    let (lower, high) = D::split(s, i.dst as usize);
    let a = &A::of(&lower)[i.a as usize..][..n];
    let (sh, sh2) = (i.sh.into(), i.sh2.into());
    let d = &mut high[..n];
    t.arch.dispatch(|| {
        for (d, a) in d.iter_mut().zip(a) {
            *d = F::f(*a, *a, *a, sh, sh2);
        }
    });
}

/// `n` lanes, two operands.
pub(super) fn vector2<A: Lane, B: Lane, D: Lane, F: Fun<A, B, A, D>>(s: &mut State, t: &Tables, i: &Instr) {
    let n = i.n as usize;
    let (lower, high) = D::split(s, i.dst as usize);
    let a = &A::of(&lower)[i.a as usize..][..n];
    let b = &B::of(&lower)[i.b as usize..][..n];
    let (sh, sh2) = (i.sh.into(), i.sh2.into());
    let d = &mut high[..n];
    t.arch.dispatch(|| {
        for ((d, a), b) in d.iter_mut().zip(a).zip(b) {
            *d = F::f(*a, *b, *a, sh, sh2);
        }
    });
}

/// `n` lanes, three operands.
pub(super) fn vector3<A: Lane, B: Lane, C: Lane, D: Lane, F: Fun<A, B, C, D>>(s: &mut State, t: &Tables, i: &Instr) {
    let n = i.n as usize;
    let (lower, high) = D::split(s, i.dst as usize);
    let a = &A::of(&lower)[i.a as usize..][..n];
    let b = &B::of(&lower)[i.b as usize..][..n];
    let c = &C::of(&lower)[i.c as usize..][..n];
    let (sh, sh2) = (i.sh.into(), i.sh2.into());
    let d = &mut high[..n];
    t.arch.dispatch(|| {
        for (((d, a), b), c) in d.iter_mut().zip(a).zip(b).zip(c) {
            *d = F::f(*a, *b, *c, sh, sh2);
        }
    });
}

macro_rules! fun {
    ($name:ident<$t:ident> ($a:ident: $ta:ty, $b:ident: $tb:ty, $c:ident: $tc:ty, $sh:ident, $sh2:ident) -> $td:ty $body:block) => {
        pub(super) struct $name;
        impl<$t: Lane> Fun<$ta, $tb, $tc, $td> for $name {
            #[inline(always)]
            fn f($a: $ta, $b: $tb, $c: $tc, $sh: u32, $sh2: u32) -> $td {
                $body
            }
        }
    };
}

// Results of less than the full lane are brought back into it by a shift left and a logical or arithmetic shift right.
fun!(FieldU<T>(a: T, _b: T, _c: T, l, r) -> T { a.shl(l).shr(r) });
fun!(FieldS<T>(a: T, _b: T, _c: T, l, r) -> T { a.shl(l).sar(r) });
fun!(And<T>(a: T, b: T, _c: T, _l, _r) -> T { a.and(b) });
fun!(Or<T>(a: T, b: T, _c: T, _l, _r) -> T { a.or(b) });
fun!(Xor<T>(a: T, b: T, _c: T, _l, _r) -> T { a.xor(b) });
fun!(Add<T>(a: T, b: T, _c: T, _l, _r) -> T { a.add(b) });
fun!(AddU<T>(a: T, b: T, _c: T, l, _r) -> T { a.add(b).shl(l).shr(l) });
fun!(AddS<T>(a: T, b: T, _c: T, l, _r) -> T { a.add(b).shl(l).sar(l) });
fun!(Sub<T>(a: T, b: T, _c: T, _l, _r) -> T { a.sub(b) });
fun!(SubU<T>(a: T, b: T, _c: T, l, _r) -> T { a.sub(b).shl(l).shr(l) });
fun!(SubS<T>(a: T, b: T, _c: T, l, _r) -> T { a.sub(b).shl(l).sar(l) });
fun!(Mul<T>(a: T, b: T, _c: T, _l, _r) -> T { a.mul(b) });
fun!(MulU<T>(a: T, b: T, _c: T, l, _r) -> T { a.mul(b).shl(l).shr(l) });
fun!(MulS<T>(a: T, b: T, _c: T, l, _r) -> T { a.mul(b).shl(l).sar(l) });
fun!(Cat<T>(a: T, b: T, _c: T, l, _r) -> T { a.shl(l).or(b) });
fun!(Mux<T>(a: u32, b: T, c: T, _l, _r) -> T { if a != 0 { b } else { c } });
fun!(ShlU<T>(a: T, b: u32, _c: T, l, _r) -> T { if b < T::BITS { a.shl(b).shl(l).shr(l) } else { T::default() } });
fun!(ShlS<T>(a: T, b: u32, _c: T, l, _r) -> T { if b < T::BITS { a.shl(b).shl(l).sar(l) } else { T::default() } });
fun!(ShrU<T>(a: T, b: u32, _c: T, _l, _r) -> T { if b < T::BITS { a.shr(b) } else { T::default() } });
fun!(ShrS<T>(a: T, b: u32, _c: T, _l, _r) -> T { a.sar(b.min(T::BITS - 1)) });
fun!(Word<T>(a: T, b: u32, _c: T, l, w) -> T { a.shr(b * w).shl(l).shr(l) });

macro_rules! compare {
    ($name:ident, |$a:ident, $b:ident| $e:expr) => {
        pub(super) struct $name;
        impl<T: Lane> Fun<T, T, T, u32> for $name {
            #[inline(always)]
            fn f($a: T, $b: T, _: T, _: u32, _: u32) -> u32 {
                $e
            }
        }
    };
}

compare!(Eq, |a, b| u32::from(a == b));
compare!(Ne, |a, b| u32::from(a != b));
compare!(LtU, |a, b| u32::from(a < b));
compare!(LtS, |a, b| u32::from(a.less(b)));
compare!(LeU, |a, b| u32::from(a <= b));
compare!(LeS, |a, b| u32::from(!b.less(a)));
compare!(Parity, |a, _b| a.parity());

macro_rules! convert {
    ($name:ident, $from:ty, $to:ty, |$a:ident, $l:ident, $r:ident| $e:expr) => {
        pub(super) struct $name;
        impl Fun<$from, $from, $from, $to> for $name {
            #[inline(always)]
            fn f($a: $from, _: $from, _: $from, $l: u32, $r: u32) -> $to {
                $e
            }
        }
    };
}

convert!(NarrowU, u64, u32, |a, l, r| a.wrapping_shl(l).wrapping_shr(r) as u32);
convert!(NarrowS, u64, u32, |a, l, r| (a.wrapping_shl(l) as i64).wrapping_shr(r) as u32);
convert!(Amount, u64, u32, |a, _l, _r| a.min(u64::from(u32::MAX)) as u32);
convert!(ExtendU, u32, u64, |a, _l, _r| u64::from(a));
convert!(ExtendS, u32, u64, |a, _l, _r| i64::from(a as i32) as u64);

/// `n` lanes of one value.
pub(super) fn fill<T: Lane>(s: &mut State, _: &Tables, i: &Instr) {
    let value = T::arena(s)[i.a as usize];
    T::arena_mut(s)[i.dst as usize..][..i.n as usize].fill(value);
}

/// `n` lanes from `a`, wherever it stands.
pub(super) fn copy<T: Lane>(s: &mut State, _: &Tables, i: &Instr) {
    let from = i.a as usize;
    T::arena_mut(s).copy_within(from..from + i.n as usize, i.dst as usize);
}

/// The same for one value.
pub(super) fn copy1<T: Lane>(s: &mut State, _: &Tables, i: &Instr) {
    let arena = T::arena_mut(s);
    arena[i.dst as usize] = arena[i.a as usize];
}

/// `n` lanes from `a` if the one condition `c` holds.
pub(super) fn copy_if<T: Lane>(s: &mut State, t: &Tables, i: &Instr) {
    if s.half[i.c as usize] != 0 {
        copy::<T>(s, t, i);
    }
}

/// The same for one value.
pub(super) fn copy1_if<T: Lane>(s: &mut State, t: &Tables, i: &Instr) {
    if s.half[i.c as usize] != 0 {
        copy1::<T>(s, t, i);
    }
}

/// Lane by lane where the bit `c` is set; `a` and `c` stand above the result.
pub(super) fn blend_half(s: &mut State, t: &Tables, i: &Instr) {
    let n = i.n as usize;
    let middle = i.a.min(i.c) as usize;
    let (low, high) = s.half.split_at_mut(middle);
    let d = &mut low[i.dst as usize..][..n];
    let a = &high[i.a as usize - middle..][..n];
    let c = &high[i.c as usize - middle..][..n];
    t.arch.dispatch(|| {
        for ((d, a), c) in d.iter_mut().zip(a).zip(c) {
            let mask = 0u32.wrapping_sub(*c);
            *d = *a & mask | *d & !mask;
        }
    });
}

/// The same over 64-bit lanes.
pub(super) fn blend_full(s: &mut State, _: &Tables, i: &Instr) {
    let n = i.n as usize;
    let (low, high) = s.full.split_at_mut(i.a as usize);
    let d = &mut low[i.dst as usize..][..n];
    let c = &s.half[i.c as usize..][..n];
    for ((d, a), c) in d.iter_mut().zip(&high[..n]).zip(c) {
        *d = if *c != 0 { *a } else { *d };
    }
}

/// Lanes from scattered places: shifted copies, then single ones (`gathers[a]`).
pub(super) fn gather<T: Lane>(s: &mut State, t: &Tables, i: &Instr) {
    let arena = T::arena_mut(s);
    let Gather { copies, moves } = &t.gathers[i.a as usize];
    for &(to, from, n) in copies {
        arena.copy_within(from as usize..(from + n) as usize, to as usize);
    }
    for &(to, from) in moves {
        arena[to as usize] = arena[from as usize];
    }
}
