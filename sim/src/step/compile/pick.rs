//! Choice of kernels: by width, number of lanes and sign.

/// The kernel of an operator for one value or many lanes, of 32 or 64 bits.
macro_rules! pick {
    ($one:ident, $many:ident, $class:expr, $n:expr, |$t:ident| [$($arg:ty),*]) => {
        match ($class == Class::Half, $n == 1) {
            (true, true) => { type $t = u32; x::$one::<$($arg),*> as Kernel }
            (true, false) => { type $t = u32; x::$many::<$($arg),*> as Kernel }
            (false, true) => { type $t = u64; x::$one::<$($arg),*> as Kernel }
            (false, false) => { type $t = u64; x::$many::<$($arg),*> as Kernel }
        }
    };
}

macro_rules! by_sign {
    ($signed:expr, $make:ident!($($pre:tt)*), $u:ident, $s:ident) => {
        if $signed { $make!($($pre)*, $s) } else { $make!($($pre)*, $u) }
    };
}

macro_rules! unary {
    ($class:expr, $n:expr, $f:ident) => {
        pick!(scalar1, vector1, $class, $n, |T| [T, T, x::$f])
    };
}
macro_rules! binary {
    ($class:expr, $n:expr, $f:ident) => {
        pick!(scalar2, vector2, $class, $n, |T| [T, T, T, x::$f])
    };
}
macro_rules! shift {
    ($class:expr, $n:expr, $f:ident) => {
        pick!(scalar2, vector2, $class, $n, |T| [T, u32, T, x::$f])
    };
}
macro_rules! compare {
    ($class:expr, $n:expr, $f:ident) => {
        pick!(scalar2, vector2, $class, $n, |T| [T, T, u32, x::$f])
    };
}
macro_rules! between {
    ($from:ty, $to:ty, $n:expr, $f:ident) => {
        if $n == 1 { x::scalar1::<$from, $to, x::$f> as Kernel } else { x::vector1::<$from, $to, x::$f> as Kernel }
    };
}
