//! What retires, and whether it has written what golden says: all of it, and nothing else.

use spec::trace::{Store, Written};

use super::check::TopChecker;
use super::fault::Fault;
use super::state::{LOAD, STORE, VEC};
use super::tell::{Place, QUEUES};
use crate::error::Error;

impl TopChecker<'_> {
    /// The oldest instruction of a queue retires.
    pub(super) fn retires(&mut self, queue: usize) -> Result<Option<Fault>, Error> {
        let Some(at) = self.progress.under_way(queue) else {
            let point = format!("{}: an instruction retires while none is under way", QUEUES[queue]);
            return Ok(Some(Fault::of(self.progress.oldest_of(queue), point)));
        };
        let Some(executed) = self.golden.take(queue)?.filter(|e| e.at == at) else {
            return Ok(Some(Fault::of(Some(at), format!("{}: golden does not execute it", QUEUES[queue]))));
        };
        let mut places = 0;
        for written in &executed.written {
            let fault = match written.store {
                Store::Fifo => self.fifo_is_full(at, written),
                Store::Out => self.out_is_full(at, written),
                Store::Dram => self.store_is_done(at),
                Store::Index => self.index_is(at, written),
                _ => {
                    places += written.values.len() as u64;
                    self.memory_is(at, written)
                }
            };
            if fault.is_some() {
                return Ok(fault);
            }
            self.values_checked += written.values.len() as u64;
        }
        self.memories.index = if queue == VEC { None } else { self.memories.index };
        let count = std::mem::take(&mut self.progress.places[queue]);
        if count != places {
            let point = format!("{}: places written by an instruction", QUEUES[queue]);
            let golden = Some(places.to_string());
            return Ok(Some(Fault { at: Some(at), point, place: None, golden, found: Some(count.to_string()) }));
        }
        self.progress.retired[queue] += 1;
        Ok(None)
    }

    /// What is left in the memories of `at` that golden did not write.
    fn memory_is(&self, at: usize, written: &Written) -> Option<Fault> {
        let machine = &self.program.machine;
        let first = Place::first(machine, written.store, written.at);
        let shadow = match written.store {
            Store::Acc { .. } => &self.memories.acc,
            Store::Act { .. } => &self.memories.act,
            Store::Param => &self.memories.params,
            Store::Vector => &self.memories.vector,
            _ => &self.memories.scalars,
        };
        for (i, &golden) in written.values.iter().enumerate() {
            let found = shadow.read(first + i, at);
            if found != Some(golden) {
                let place = Place { store: written.store, at: first + i }.text(machine);
                let found = found.map_or_else(|| "not written".into(), |found| found.to_string());
                let golden = Some(golden.to_string());
                let point = Place::probe(written.store).into();
                return Some(Fault { at: Some(at), point, place: Some(place), golden, found: Some(found) });
            }
        }
        None
    }

    fn fifo_is_full(&mut self, at: usize, written: &Written) -> Option<Fault> {
        let per_word = (self.program.machine.preload_rows * self.program.machine.cols) as usize;
        let (golden, found) = (written.values.len() / per_word, std::mem::take(&mut self.memories.words));
        counted(at, "weight words of the instruction", golden, found)
    }

    fn out_is_full(&mut self, at: usize, written: &Written) -> Option<Fault> {
        let (golden, found) = (written.values.len(), std::mem::take(&mut self.memories.out_bytes));
        counted(at, "bytes of the instruction on the out stream", golden, found)
    }

    /// A store's bytes were compared when they came.
    fn store_is_done(&mut self, at: usize) -> Option<Fault> {
        debug_assert_eq!(self.program.instrs[at].op().queue() as usize, STORE);
        match &mut self.memories.store {
            (0, bytes) => Some(Fault {
                found: Some(bytes.to_string()),
                ..Fault::of(Some(at), "m_axi_wdata: the store retires, and not all of its bytes have come")
            }),
            (stores, _) => {
                *stores -= 1;
                None
            }
        }
    }

    fn index_is(&self, at: usize, written: &Written) -> Option<Fault> {
        let (golden, found) = (written.values[0], self.memories.index);
        (found.map(i64::from) != Some(golden)).then(|| Fault {
            at: Some(at),
            point: "index".into(),
            place: Some("IDX".into()),
            golden: Some(golden.to_string()),
            found: Some(found.map_or_else(|| "not written".into(), |found| found.to_string())),
        })
    }

    /// What nothing else looked at when a queue's instruction wrote something that golden's does not: words and bytes of
    /// instructions that write none.
    pub(super) fn leftover(&self) -> Option<Fault> {
        let load = (self.memories.words > 0).then(|| self.progress.oldest_of(LOAD));
        let vec = (self.memories.out_bytes > 0).then(|| self.progress.oldest_of(VEC));
        let stored = !self.memories.beats.is_empty() || self.memories.store != (0, 0);
        let fault = |at, point: &str| Some(Fault::of(at, point));
        match (load, vec) {
            (Some(at), _) => fault(at, "weight: words that no instruction loads"),
            (_, Some(at)) => fault(at, "out_data: bytes that no instruction writes"),
            _ if stored => fault(None, "m_axi_wdata: bytes that no instruction stores"),
            _ => None,
        }
    }
}

fn counted(at: usize, what: &str, golden: usize, found: usize) -> Option<Fault> {
    (golden != found).then(|| Fault {
        at: Some(at),
        point: what.into(),
        place: None,
        golden: Some(golden.to_string()),
        found: Some(found.to_string()),
    })
}
