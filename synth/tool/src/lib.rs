//! External programs: found, versioned, run in their own process group with a time-out.
