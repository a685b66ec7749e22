//! The memory masters, the load unit and the sequencer against the memory model, the register block against its table, the
//! protocol monitor against planted faults; all in the step simulator.

mod load;
mod maker;
mod monitor;
mod player;
mod port;
mod reads;
mod registers;
mod rig;
mod sequence;
mod writes;
